//! Computers of people, which are network namespaces, on the LAN of an emulated appliance.

use std::io::{Read, Write};
use std::thread;

use super::lab::{Failure, Lan, Result};
use super::net::tools::{self, Ran};
use super::net::{self, Machine, lan};
use super::tap;

/// The longest frame that passes.
const LARGEST_FRAME: usize = 2048;

/// The computer that the test itself runs on, and a browser with it.
const DESK: &str = "10.10.10.30/24";

/// The admin's own computer.
const ADMIN: &str = "10.10.10.20";

/// What the admin knows.
pub const PASSWORD: &str = "correct horse battery";

/// The lines of pxeberry.toml that make it the admin's password.
pub fn password() -> Result<String> {
    let line = pxeberry::http::admin::hash_line(format!("{PASSWORD}\n").as_bytes());
    line.map(|line| format!("[admin]\n{line}\n")).map_err(Failure::at("the password"))
}

/// Lays a cable between the LAN of the network namespaces and the switch of the emulators: one
/// segment, on which the emulated appliance has the appliance's address.
pub fn joins(lan: &net::Lan, switch: &Lan) -> Result<()> {
    tools::run("ip", &["address", "flush", "dev", lan::INTERFACE]);
    tools::run("ip", &["address", "add", DESK, "dev", lan::INTERFACE]);
    let tap = lan.tap();
    let failed = Failure::at(&tap);
    let (_, port) = switch.own_port()?;
    let open = || {
        let cable = tap::open(&tap)?;
        Ok((cable.try_clone()?, port.try_clone()?, cable))
    };
    let (mut from, to, mut cable) = open().map_err(|error: std::io::Error| failed(error))?;
    thread::spawn(move || {
        let mut frame = [0; LARGEST_FRAME];
        while let Ok(length) = from.read(&mut frame) {
            // A switch that is busy loses frames, as any does.
            let _ = to.send(frame.get(..length).unwrap_or_default());
        }
    });
    thread::spawn(move || {
        let mut frame = [0; LARGEST_FRAME];
        while let Ok(length) = port.recv(&mut frame) {
            let _ = cable.write(frame.get(..length).unwrap_or_default());
        }
    });
    Ok(())
}

/// The admin, who does what README says, with curl.
pub struct Admin {
    computer: Machine,
    token: String,
}

impl Admin {
    /// Signs in.
    pub fn signs_in(lan: &net::Lan) -> Result<Admin> {
        let computer = lan.machine("52:54:00:00:00:aa");
        computer.use_address(ADMIN.parse().map_err(Failure::at(ADMIN))?);
        let mut admin = Admin { computer, token: String::new() };
        let form = format!("password={PASSWORD}");
        let told = admin.asks("session", &["-c", "/run/jar", "--data-urlencode", &form])?;
        let token = told.get("token").and_then(serde_json::Value::as_str);
        admin.token = token.ok_or_else(|| Failure::new(format!("no token: {told}")))?.to_owned();
        Ok(admin)
    }

    /// What a place of the API says.
    pub fn reads(&self, place: &str) -> Result<serde_json::Value> {
        self.asks(place, &[])
    }

    /// Changes something.
    pub fn does(&self, place: &str) -> Result<serde_json::Value> {
        let token = format!("X-Token: {}", self.token);
        self.asks(place, &["-X", "POST", "-b", "/run/jar", "-H", &token])
    }

    fn asks(&self, place: &str, words: &[&str]) -> Result<serde_json::Value> {
        let url = format!("http://{}/api/v1/{place}", lan::SERVER);
        let words = [&["-sS", "--fail-with-body", &url], words].concat();
        let Ran { code, out, err } = self.computer.run("curl", &words);
        let text = String::from_utf8_lossy(&out);
        match code {
            Some(0) => serde_json::from_str(&text).map_err(Failure::at(&text)),
            _ => Err(Failure::new(format!("{place}: {text} {err}"))),
        }
    }
}
