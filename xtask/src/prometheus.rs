//! Checks the alert rules, their tests, the queries of the dashboard and the rendered metrics with
//! Prometheus' own tool.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

const RULES: &str = "packaging/prometheus/alerts.yml";
const TESTS: &str = "packaging/prometheus/alerts_test.yml";
const DASHBOARD: &str = "packaging/grafana/keyfob.json";

/// Checks all of it, if the tool is available.
pub(crate) fn check() -> Result<()> {
    let Some(promtool) = promtool()? else {
        crate::say(
            "note: promtool is not installed, so rules, dashboard and rendered metrics are not \
             checked. It comes with Prometheus. Put it into PATH, or set KEYFOB_PROMTOOL to it",
        );
        return Ok(());
    };
    run(&promtool, &["check", "rules", RULES], "")?;
    run(&promtool, &["test", "rules", TESTS], "")?;
    let queries = cargo::target().join("dashboard-queries.yml");
    fs::write(&queries, queries_as_rules(&fs::read_to_string(cargo::root().join(DASHBOARD))?)?)?;
    run(&promtool, &["check", "rules", &queries.to_string_lossy()], "")?;
    let rendered = cargo::output(["run", "--quiet", "-p", "keyfob", "--example", "prometheus"])?;
    ensure!(rendered.contains("keyfob_validations_total{"), "the example rendered no metrics");
    run(&promtool, &["check", "metrics"], &rendered)
}

/// Returns the queries of the dashboard as rules, which the tool can read, with Grafana's variables
/// filled in.
fn queries_as_rules(dashboard: &str) -> Result<String> {
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let mut count = 0;
    for line in dashboard.lines() {
        let Some(query) = line.trim().strip_prefix("\"expr\": \"") else { continue };
        let query = query.trim_end_matches(',').trim_end_matches('"');
        let query = query.replace("$__rate_interval", "5m");
        rules.push_str(&format!("      - record: query:{count}\n        expr: \"{query}\"\n"));
        count += 1;
    }
    ensure!(count > 40, "only {count} queries found in {DASHBOARD}; expected more than 40");
    Ok(rules)
}

/// Runs the tool, with a text as its input. Fails if it finds anything.
pub(crate) fn run(promtool: &Path, args: &[&str], input: &str) -> Result<()> {
    let shown = format!("promtool {}", args.join(" "));
    crate::say(&format!("$ {shown}"));
    let mut child = Command::new(promtool)
        .args(args)
        .current_dir(cargo::root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started", promtool.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (said(&output.stdout), said(&output.stderr));
    // For metrics, advice has a status of its own.
    if !output.status.success() {
        bail!("{shown} failed:\n{out}{errors}");
    }
    Ok(())
}

/// Returns the tool: from KEYFOB_PROMTOOL, from PATH, or from Debian's package. The package is unpacked
/// into the target directory and installs no service.
pub(crate) fn promtool() -> Result<Option<PathBuf>> {
    if let Some(chosen) = std::env::var_os("KEYFOB_PROMTOOL") {
        return Ok(Some(chosen.into()));
    }
    if let Some(found) = crate::programs::in_path("promtool") {
        return Ok(Some(found));
    }
    let folder = cargo::target().join("promtool");
    let promtool = folder.join("usr/bin/promtool");
    if promtool.is_file() {
        return Ok(Some(promtool));
    }
    if crate::programs::in_path("apt-get").is_none() || crate::programs::in_path("dpkg").is_none() {
        return Ok(None);
    }
    crate::say("promtool is missing; unpacking it from Debian's package of Prometheus");
    fs::create_dir_all(&folder)?;
    if let Err(error) = unpack(&folder) {
        bail!("{error:#}. Install Prometheus, or set KEYFOB_PROMTOOL to a promtool");
    }
    Ok(Some(promtool))
}

fn unpack(folder: &Path) -> Result<()> {
    let in_folder = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).current_dir(folder).status()?;
        ensure!(status.success(), "`{program} {}` failed", args.join(" "));
        Ok(())
    };
    in_folder("apt-get", &["download", "prometheus"])?;
    let mut files = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let package = files.find(|path| path.extension().is_some_and(|it| it == "deb"));
    let package = package.context("apt-get downloaded nothing")?;
    in_folder("dpkg", &["-x", &package.to_string_lossy(), "."])?;
    // The server is large, and not needed.
    fs::remove_file(folder.join("usr/bin/prometheus"))?;
    fs::remove_file(package)?;
    Ok(())
}
