//! The page of `daemon.http`, as Chromium shows it.

use std::time::Duration;

use arpherd_lab::{Crowd, Daemon, Host, Netns, Result, wait_until};
use serde_json::{Value, json};

use crate::driver::{Driver, packages, script};
use crate::rig::{Config, Rig, SLOW_EXPIRY, SOON, introduce, pass};

/// Where the daemon listens, in the router's namespace.
const LISTEN: &str = "127.0.0.1:9477";

/// The domain's name, which is markup.
const DOMAIN: &str = "<i>test</i>";

/// Chromium beside the daemon. Its namespace reaches nothing but the lab.
struct Browser(Driver);

impl Browser {
    fn start(ns: &Netns) -> Self {
        let mut command = ns.command("python3");
        command.arg(script("browser.py")).arg(packages("ARPHERD_SCREEN_CHROMIUM"));
        Self(Driver::start(command))
    }

    fn open(&mut self, width: u32, height: u32, dark: bool) {
        let url = format!("http://{LISTEN}/");
        self.0.order(&json!({"do": "open", "url": url, "width": width, "height": height, "dark": dark}));
    }

    fn value(&mut self, expression: &str) -> Value {
        self.0.order(&json!({"do": "run", "script": expression}))["value"].take()
    }

    /// Waits until the expression is true.
    fn wait(&mut self, what: &str, expression: &str) {
        let what = format!("{what} ({expression}) in\n{}", self.value("document.body.innerText"));
        self.0.wait(&what, &json!({"do": "run", "script": expression}), |answer| answer["value"] == true);
    }

    fn type_search(&mut self, text: &str) {
        self.value(&format!("{{ const it = document.getElementById('search'); it.value = {text:?}; it.dispatchEvent(new Event('input')); }}"));
    }

    /// A picture, where somebody wants to look (`ARPHERD_SCREEN_PICTURES`).
    fn picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("ARPHERD_SCREEN_PICTURES") {
            let file = std::path::Path::new(&folder).join(format!("{name}.png"));
            self.0.order(&json!({"do": "shot", "file": file}));
        }
    }

    /// It complained of nothing, and asked nobody but the daemon.
    fn is_content(&mut self) {
        let log = self.0.order(&json!({"do": "log"}));
        assert_eq!(log["errors"], json!([]));
        let requests = log["requests"].as_array().expect("URLs");
        let foreign =
            |url: &&Value| !url.as_str().is_some_and(|url| url.starts_with(&format!("http://{LISTEN}/")));
        assert_eq!(requests.iter().filter(foreign).collect::<Vec<_>>(), Vec::<&Value>::new());
        assert!(requests.len() > 5, "{requests:?}");
    }
}

/// Two segments.
fn config() -> Config {
    let keys = [("expiry", SLOW_EXPIRY)];
    let config = Config::empty().domain(&format!("'{DOMAIN}'"), "10.9.0.0/16");
    let config = config.segment("eth0", &keys).segment("eth1", &keys);
    config.top(&format!("daemon: {{ http: \"{LISTEN}\" }}"))
}

fn start(rig: &Rig) -> Result<(Daemon, Browser)> {
    let daemon = config().start(&rig.r)?;
    Ok((daemon, Browser::start(&rig.r)))
}

/// The segment that the host is drawn in.
fn drawn_in(host: &Host, segment: &str) -> String {
    format!(
        "[...document.querySelectorAll('.segment')].some((it) => it.dataset.key === \
         JSON.stringify([null, '{DOMAIN}', '{segment}']) && it.querySelector('[data-address=\"{}\"]'))",
        host.ip()
    )
}

#[harness::test]
fn page_draws_hosts_and_moves_as_they_happen() -> Result<()> {
    let rig = Rig::new()?;
    let (mut a, b) = (rig.left(10)?, rig.right(20)?);
    let (_daemon, mut browser) = start(&rig)?;
    introduce(&a, &rig.r, "eth0")?;
    browser.open(1280, 900, false);
    browser.wait("the host on its segment", &drawn_in(&a, "eth0"));
    assert_eq!(browser.value("document.querySelector('.domain h2').firstChild.textContent"), DOMAIN);
    assert_eq!(browser.value("document.querySelector('i')"), Value::Null, "a name is text");
    assert_eq!(browser.value("document.getElementById('ready').textContent"), "ready");
    introduce(&b, &rig.r, "eth1")?;
    browser.wait("the other, without a reload", &drawn_in(&b, "eth1"));
    browser.wait("its row", "document.getElementById('host-table').tBodies[0].rows.length === 2");
    // That a move is drawn as one is seen by who watches from before.
    browser.value(
        "{ window.seen = false; new MutationObserver((changes) => changes.forEach((it) => it.addedNodes.forEach(\
         (node) => window.seen ||= node.classList?.contains('mover')))).observe(document, {childList: true, subtree: true}) }",
    );
    a.move_to(&rig.right)?;
    introduce(&a, &rig.r, "eth1")?;
    browser.wait("the host at its new place", &drawn_in(&a, "eth1"));
    browser.wait(
        "the move among the events",
        "document.querySelector('#event-list .move .values').textContent.includes('10.9.0.10 · eth0 → eth1')",
    );
    browser.wait("its way across the drawing", "window.seen");
    browser.wait("the count of moves", "document.getElementById('moves').textContent === '1'");
    rig.r.down("eth0")?;
    browser.wait("the segment that is down", "!!document.querySelector('.segment.bad .bad-text')");
    browser.picture("move");
    browser.is_content();
    Ok(())
}

#[harness::test]
fn page_finds_an_address_and_says_why_it_is_answered_for() -> Result<()> {
    let rig = Rig::new()?;
    let (a, b) = (rig.left(10)?, rig.right(20)?);
    let (mut daemon, mut browser) = start(&rig)?;
    introduce(&a, &rig.r, "eth0")?;
    introduce(&b, &rig.r, "eth1")?;
    browser.open(390, 844, true);
    browser.wait("both hosts", "document.getElementById('host-table').tBodies[0].rows.length === 2");
    let wide = browser.value("document.documentElement.scrollWidth");
    assert!(wide.as_u64() <= Some(390), "a phone need not scroll sideways: {wide}");
    browser.type_search("eth1");
    browser.wait("one host", "document.getElementById('host-table').tBodies[0].rows.length === 1");
    browser.wait("it is marked", "document.querySelectorAll('.host.found').length === 1");
    browser.type_search("10.9.0.20");
    let said = "document.getElementById('explanation').textContent";
    browser.wait("the explanation", &format!("{said}.includes('alive on eth1')"));
    browser.wait("the rule", &format!("{said}.includes('requests on eth1: not answered')"));
    browser.type_search("10.9.0.99");
    browser.wait("another one", &format!("{said}.includes('is not known')"));
    browser.picture("phone");
    browser.is_content();
    daemon.terminate();
    browser.wait("that the daemon is gone", "!document.getElementById('notice').hidden");
    assert_eq!(
        browser.value("document.getElementById('host-table').tBodies[0].rows.length"),
        0,
        "it is filtered"
    );
    Ok(())
}

#[harness::test]
fn page_stays_small_with_thousands_of_hosts() -> Result<()> {
    let rig = Rig::new()?;
    let address = |number: u16| std::net::Ipv4Addr::from(0x0a09_0100 + u32::from(number));
    let crowd_ns = Netns::new("crowd")?;
    rig.left.plug(&crowd_ns, "c0")?;
    let crowd = Crowd::start(&crowd_ns, "c0", (0..4600).map(address).collect())?;
    let limits = ("limits", "{ hosts_per_lladdr: 5000, hosts: 10000 }");
    let config = Config::of("10.9.0.0/16")
        .segment("eth0", &[("expiry", SLOW_EXPIRY), limits])
        .segment("eth1", &[])
        .top(&format!("daemon: {{ http: \"{LISTEN}\" }}"));
    let daemon = config.start(&rig.r)?;
    let mut browser = Browser::start(&rig.r);
    browser.open(1280, 900, false);
    browser.wait("no hosts", "document.body.innerText.includes('no hosts known')");
    let speak = |numbers: std::ops::Range<u16>| {
        for number in numbers {
            // A lost one is not missed: there are enough.
            let _ = crowd.speak(address(number));
            if number % 50 == 0 {
                pass(Duration::from_millis(10));
            }
        }
    };
    speak(0..1500);
    wait_until(SOON, "many are known", || daemon.cli(&["status"])["hosts"].as_u64() > Some(1000));
    browser.wait(
        "the rest as a number",
        "/and [\\d,]+ more/.test(document.querySelector('.segment').textContent)",
    );
    let dots = browser.value("document.querySelectorAll('.host').length");
    assert!(dots.as_u64().is_some_and(|dots| (200..=256).contains(&dots)), "{dots}");
    let size = browser.value("fetch('state.json').then((it) => it.text()).then((it) => it.length)");
    assert!(size.as_u64().is_some_and(|size| size < 128 * 1024), "{size}");
    browser.picture("many");
    speak(1500..4600);
    browser.wait(
        "so many that they are only counted",
        "document.querySelectorAll('.host').length === 0 && !!document.querySelector('.share')",
    );
    browser.type_search("10.9.1.7");
    browser
        .wait("one of them", "document.getElementById('explanation').textContent.includes('alive on eth0')");
    browser.picture("counted");
    browser.is_content();
    let policy = "fetch('.').then((it) => it.headers.get('content-security-policy'))";
    assert!(browser.value(policy).as_str().is_some_and(|text| text.contains("default-src 'none'")));
    Ok(())
}
