//! A Prometheus in a namespace, and its HTTP API.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use arpherd_lab::{Netns, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::rig::SOON;
use crate::{program, repository};

const LISTEN: &str = "127.0.0.1:9090";
/// It scrapes and evaluates the rules so often.
const INTERVAL: &str = "500ms";

/// A running Prometheus with the rules of `configs`. Dropping it ends it.
pub(crate) struct Prometheus {
    ns: Netns,
    child: Child,
    directory: TempDir,
}

impl Prometheus {
    /// Starts it; it scrapes the target as the job `arpherd`.
    pub(crate) fn start(ns: &Netns, target: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let rules = repository("configs/prometheus-alerts.yaml");
        let config = format!(
            "global: {{ scrape_interval: {INTERVAL}, scrape_timeout: {INTERVAL}, evaluation_interval: {INTERVAL} }}\n\
             rule_files: [\"{}\"]\n\
             scrape_configs:\n  - job_name: arpherd\n    static_configs: [{{ targets: [\"{target}\"] }}]\n",
            rules.display()
        );
        fs::write(path("prometheus.yml"), config).expect("the file can be written");
        let log = File::create(path("log")).expect("the file can be written");
        let mut command: Command = ns.command(program("prometheus"));
        command
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={LISTEN}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().expect("it was fetched");
        let server = Self { ns: ns.clone(), child, directory };
        wait_until(SOON, "Prometheus", || server.get("/-/ready").is_some_and(|(status, _)| status == 200));
        server
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = self.ns.run(|| TcpStream::connect(LISTEN)).ok()?;
        stream.set_read_timeout(Some(SOON)).ok()?;
        // HTTP/1.0, so that nothing comes in chunks.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {LISTEN}\r\n\r\n").as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The data of an API's response.
    pub(crate) fn api(&self, path: &str) -> Value {
        let (status, body) = self.get(&format!("/api/v1/{path}")).unwrap_or_else(|| panic!("{}", self.log()));
        assert_eq!(status, 200, "{path}: {body}");
        let mut response: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(response["status"], "success", "{path}: {body}");
        response["data"].take()
    }

    /// The series that a query gives now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let mut data = self.api(&format!("query?query={}", escaped(expression)));
        match data["result"].take() {
            Value::Array(series) => series,
            other => panic!("{expression}: {other}"),
        }
    }

    /// The one target's state, and what went wrong with it last.
    pub(crate) fn target(&self) -> (String, String) {
        let data = self.api("targets?state=active");
        let target = &data["activeTargets"][0];
        let text = |name: &str| target[name].as_str().unwrap_or_default().to_owned();
        (text("health"), text("lastError"))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As a URL's query has it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() {
            out.push(char::from(octet));
        } else {
            write!(out, "%{octet:02X}").expect("text grows");
        }
    }
    out
}
