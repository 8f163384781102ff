//! From the files of a login to what the NATS server is shown.
//!
//! No error repeats what is in a file.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use async_nats::Auth;
use nkeys::KeyPair;
use zeroize::Zeroizing;

use super::NatsLogin;

/// The maximum length of a file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Returns what the server is shown that asks with a nonce. It reads files.
pub(super) fn answer(login: &NatsLogin, nonce: &[u8]) -> Result<Auth, String> {
    let mut auth = Auth::new();
    match login {
        NatsLogin::Anonymous => {}
        NatsLogin::Credentials(path) => {
            let text = read("credentials", path)?;
            let (jwt, seed) = parts(&text).ok_or_else(|| {
                let needed = "it has no user JWT and no seed of an nkey";
                format!("nats.credentials: {}: {needed}", path.display())
            })?;
            let key = key("credentials", path, seed)?;
            auth.jwt = Some(jwt.to_owned());
            auth.signature = Some(sign(&key, nonce)?);
        }
        NatsLogin::Nkey(path) => {
            let text = read("nkey", path)?;
            let key = key("nkey", path, text.trim())?;
            auth.nkey = Some(key.public_key());
            auth.signature = Some(sign(&key, nonce)?);
        }
        NatsLogin::Password { user, file } => {
            let text = read("password_file", file)?;
            auth.username = Some(user.clone());
            auth.password = Some(text.trim_end_matches(['\r', '\n']).to_owned());
        }
    }
    Ok(auth)
}

/// Checks the files of a login.
pub(super) fn check(login: &NatsLogin) -> Result<(), String> {
    answer(login, b"nonce").map(drop)
}

fn read(setting: &str, path: &Path) -> Result<Zeroizing<String>, String> {
    let unreadable = |error: std::io::Error| format!("nats.{setting}: {}: {error}", path.display());
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn key(setting: &str, path: &Path, seed: &str) -> Result<KeyPair, String> {
    let invalid = |_| format!("nats.{setting}: {}: its seed is not valid", path.display());
    KeyPair::from_seed(seed).map_err(invalid)
}

fn sign(key: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, String> {
    key.sign(nonce).map_err(|_| "the nonce of the NATS server cannot be signed".to_owned())
}

/// Returns the JWT and the seed of a file of credentials: each is between two lines that begin with three dashes.
fn parts(text: &str) -> Option<(&str, &str)> {
    let mut sections = Vec::new();
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("---")
            && let Some(content) = lines.next()
            && lines.peek().is_some_and(|end| end.starts_with("---"))
        {
            lines.next();
            sections.push(content);
        }
    }
    match sections.as_slice() {
        [jwt, seed, ..] => Some((jwt, seed)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";

    fn file(content: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        file
    }

    fn credentials(seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\r\neyJ0.e30.c2ln\r\n------END NATS USER JWT------\r\n\r\n\
             ************************* IMPORTANT *************************\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }

    #[test]
    fn each_login_has_its_answer() {
        let anonymous = answer(&NatsLogin::Anonymous, b"n").unwrap();
        assert!(anonymous.signature.is_none() && anonymous.username.is_none());
        let word = file("hunter2\n");
        let user = "u".to_owned();
        let login = NatsLogin::Password { user, file: word.path().to_owned() };
        let shown = answer(&login, b"n").unwrap();
        assert_eq!(
            (shown.username.unwrap(), shown.password.unwrap()),
            ("u".into(), "hunter2".into())
        );
        let key = KeyPair::from_seed(SEED).unwrap();
        let seed = file(&format!("{SEED}\n"));
        let shown = answer(&NatsLogin::Nkey(seed.path().to_owned()), b"n").unwrap();
        assert_eq!(shown.nkey.unwrap(), key.public_key());
        key.verify(b"n", &shown.signature.unwrap()).unwrap();
        let both = file(&credentials(SEED));
        let shown = answer(&NatsLogin::Credentials(both.path().to_owned()), b"n").unwrap();
        assert_eq!((shown.jwt.as_deref(), shown.nkey), (Some("eyJ0.e30.c2ln"), None));
        key.verify(b"n", &shown.signature.unwrap()).unwrap();
    }

    #[test]
    fn an_error_about_a_file_does_not_show_its_content() {
        let odd = file("hunter2");
        let path = || odd.path().to_owned();
        let bad_seed = file(&credentials("hunter2"));
        for login in [
            NatsLogin::Nkey(path()),
            NatsLogin::Credentials(path()),
            NatsLogin::Credentials(bad_seed.path().to_owned()),
            NatsLogin::Nkey("/nowhere/hunter3".into()),
        ] {
            let error = check(&login).unwrap_err();
            assert!(error.starts_with("nats.") && !error.contains("hunter2"), "{error}");
        }
    }
}
