//! A network namespace beside the one that the test runs in.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::tools::{self, Ran};

/// Another computer's network and mounts. It lives as long as a process in it.
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// An empty one, with a loopback interface and its own view of /sys.
    pub fn new() -> Namespace {
        const SCRIPT: &str =
            "mount -t sysfs sysfs /sys && ip link set lo up && echo ready && exec cat";
        for tool in ["unshare", "nsenter"] {
            tools::need(tool);
        }
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "no network namespace");
        Namespace { holder }
    }

    /// The process that holds it, to move interfaces to.
    pub fn id(&self) -> String {
        self.holder.id().to_string()
    }

    /// A command that will run inside.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "--target", &self.id(), "--"]).args(words);
        command
    }

    /// Runs a program inside to its end, with a time limit.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        tools::finish(&mut self.command(&tools::limited(program, arguments)))
    }

    /// Does `work` on a thread inside; sockets that it makes stay inside.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.id())).unwrap();
        std::thread::scope(|scope| {
            let done = scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), kind).unwrap();
                work()
            });
            done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
