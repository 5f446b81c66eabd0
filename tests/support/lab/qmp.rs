//! QEMU's control channel: plugging and pulling USB sticks, and a PC's reset button.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::{Failure, Result};
use super::process::{OtherEnd, character_device};

/// QEMU answers at once; it is gone if it does not.
const ANSWER: Duration = Duration::from_secs(10);

/// One channel.
pub struct Qmp {
    requests: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Qmp {
    /// Adds a channel to the command that will start the emulator.
    pub fn add_to(command: &mut Command) -> Result<(Qmp, OtherEnd)> {
        let (ours, theirs) = character_device(command, "qmp")?;
        command.args(["-mon", "chardev=qmp,mode=control"]);
        ours.set_read_timeout(Some(ANSWER)).map_err(Failure::at("qmp"))?;
        let answers = BufReader::new(ours.try_clone().map_err(Failure::at("qmp"))?);
        Ok((Qmp { requests: ours, answers }, theirs))
    }

    /// Opens the conversation.
    pub fn greet(&mut self) -> Result<()> {
        self.execute("qmp_capabilities", json!({}))
    }

    /// Runs one command; news that come meanwhile are passed over.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.requests
            .write_all(format!("{request}\n").as_bytes())
            .map_err(Failure::at(format!("qmp: {command}")))?;
        loop {
            let answer = self.next(command)?;
            if let Some(error) = answer.get("error") {
                return Err(Failure::new(format!("qmp: {command}: {error}")));
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
    }

    /// Waits until the device is gone.
    pub fn wait_until_deleted(&mut self, device: &str) -> Result<()> {
        loop {
            let news = self.next("device_del")?;
            let deleted = news.get("event").is_some_and(|event| event == "DEVICE_DELETED");
            let named = news.pointer("/data/device").is_some_and(|name| name == device);
            if deleted && named {
                return Ok(());
            }
        }
    }

    fn next(&mut self, command: &str) -> Result<Value> {
        let mut line = String::new();
        let what = format!("qmp: {command}");
        let count = self.answers.read_line(&mut line).map_err(Failure::at(&what))?;
        if count == 0 {
            return Err(Failure::new(format!("{what}: the emulator has ended")));
        }
        serde_json::from_str(&line).map_err(Failure::at(&what))
    }
}
