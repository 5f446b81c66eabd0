//! Debian's Chromium, told what to do by the DevTools protocol over a pipe: no driver, no
//! library and no port in between.

#![allow(dead_code, reason = "each scenario uses the part that it needs")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use super::net::tools;

/// A browser starts slowly on two busy cores.
const PATIENCE: Duration = Duration::from_secs(60);

/// Messages come on descriptor 4 and go on 3; each ends with a zero byte.
const START: &str = "exec chromium --headless=new --no-sandbox --remote-debugging-pipe \
    --user-data-dir=/run/browser --no-first-run --disable-gpu --disable-dev-shm-usage \
    --disable-background-networking --disable-component-update --disable-sync \
    --hide-scrollbars --force-color-profile=srgb about:blank \
    3<&0 4>&1 </dev/null >/dev/null 2>/run/browser.log";

/// A browser with one page.
pub struct Browser {
    child: Child,
    orders: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What its console has said that a person should not see there.
    pub complaints: Vec<String>,
}

impl Browser {
    /// Starts it in the namespaces of this test.
    pub fn starts() -> Browser {
        tools::need("chromium");
        tools::need("sh");
        let mut child = Command::new("sh")
            .args(["-c", START])
            .env("HOME", "/run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in said.split(0) {
                let Ok(value) = serde_json::from_slice(&message.unwrap_or_default()) else { break };
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        let mut browser =
            Browser { child, orders, messages, session: None, last: 0, complaints: Vec::new() };
        let page = browser.tell("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.tell("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.tell(&format!("{domain}.enable"), json!({}));
        }
        browser.looks(1_280, 900, false);
        browser
    }

    /// One order of the protocol, and its result.
    #[track_caller]
    pub fn tell(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut order = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            order["sessionId"] = json!(session);
        }
        self.orders.write_all(format!("{order}\0").as_bytes()).unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let message = self.next(end, method);
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    /// Goes to a page, which is whole when this returns.
    #[track_caller]
    pub fn opens(&mut self, url: &str) {
        let gone = self.tell("Page.navigate", json!({ "url": url }));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        self.loaded();
    }

    /// Goes to a page: milliseconds from the order to the first of its text or pictures.
    #[track_caller]
    pub fn paints(&mut self, url: &str) -> f64 {
        self.opens(url);
        let painted = self.eval(
            "new Promise((done) => new PerformanceObserver((list) => {
                const all = list.getEntriesByName('first-contentful-paint');
                if (all.length) done(all[0].startTime);
            }).observe({type: 'paint', buffered: true}))",
        );
        painted.as_f64().unwrap()
    }

    /// Bytes of all that the page is made of, as they came over the cable.
    #[track_caller]
    pub fn weight(&mut self) -> u64 {
        let weight = self.eval(
            "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
                .reduce((sum, one) => sum + one.transferSize, 0)",
        );
        weight.as_u64().unwrap()
    }

    /// Waits until the page that it goes to is whole.
    #[track_caller]
    pub fn loaded(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.next(end, "Page.loadEventFired")["method"] != "Page.loadEventFired" {}
    }

    /// What JavaScript in the page comes to; promises are waited for.
    #[track_caller]
    pub fn eval(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let done = self.tell("Runtime.evaluate", params);
        assert!(done["exceptionDetails"].is_null(), "{script}: {}", done["exceptionDetails"]);
        done["result"]["value"].clone()
    }

    /// Waits until a condition in JavaScript holds: it is looked at after each change of the
    /// page.
    #[track_caller]
    pub fn waits_for(&mut self, condition: &str) {
        let script = format!(
            "new Promise((done) => {{
                const look = () => {{ if ({condition}) {{ watch.disconnect(); done(true); }} }};
                const watch = new MutationObserver(look);
                const all = {{subtree: true, childList: true, attributes: true, characterData: true}};
                watch.observe(document, all);
                setTimeout(() => done(false), 40000);
                look();
            }})"
        );
        let held = self.eval(&script);
        let text = if held == true { Value::Null } else { self.eval("document.body.innerText") };
        assert_eq!(held, true, "{condition}: {}", text.as_str().unwrap_or_default());
    }

    /// Clicks with the mouse's left button on what a CSS selector finds.
    #[track_caller]
    pub fn clicks(&mut self, selector: &str) {
        self.eval(&format!("document.querySelector({selector:?}).click()"));
    }

    /// Writes text where the focus is.
    pub fn types(&mut self, text: &str) {
        self.tell("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key: `Tab`, `Enter`.
    pub fn presses(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            _ => (9, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.tell("Input.dispatchKeyEvent", event);
        }
    }

    /// A window of this size, in light or dark.
    pub fn looks(&mut self, width: u32, height: u32, dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600 });
        self.tell("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "no-preference" }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Whether pages may run their scripts.
    pub fn runs_scripts(&mut self, allowed: bool) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": !allowed }));
    }

    /// A picture of the whole page, in `target/page/`.
    pub fn shoots(&mut self, name: &str) -> PathBuf {
        let params = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.tell("Page.captureScreenshot", params);
        let data = shot["data"].as_str().unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        path
    }

    #[track_caller]
    fn next(&mut self, end: Instant, what: &str) -> Value {
        let left = end.saturating_duration_since(Instant::now());
        let message = self.messages.recv_timeout(left).unwrap_or_else(|error| {
            let log = fs::read_to_string("/run/browser.log").unwrap_or_default();
            panic!("{what}: {error}; Chromium said:\n{log}")
        });
        let params = &message["params"];
        let complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(&params["exceptionDetails"]),
            Some("Log.entryAdded") if params["entry"]["level"] != "verbose" => {
                Some(&params["entry"])
            }
            Some("Runtime.consoleAPICalled") => Some(params),
            _ => None,
        };
        self.complaints.extend(complaint.map(Value::to_string));
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
