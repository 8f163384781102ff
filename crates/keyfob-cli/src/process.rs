//! What this process does about its own memory and about panics of libraries.

/// Prevents a dump of this process, which holds keys and bearers, and its inspection by other processes of
/// the user.
#[cfg(unix)]
pub(crate) fn forbid_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Without these the command works as well: a failure changes nothing for it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A limit does not stop a core dump that is piped to a program.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(not(unix))]
pub(crate) fn forbid_dumps() {}

/// Silences panics of the engine of the file store. It panics on a damaged file; the store catches that and
/// reports an error.
pub(crate) fn silence_engine_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_of_engine = panic.location().is_some_and(|place| place.file().contains("redb-"));
        if !is_of_engine {
            report(panic);
        }
    }));
}
