//! Sockets that a parent holds and hands down: a restart of the server refuses nobody.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail so")]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests fail so")]

#[path = "support/net/mod.rs"]
mod net;

use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::Command;

use net::appliance::PROGRAM;
use net::lan::SERVER;
use net::stick::{IMAGE, NODE_1};
use net::{Appliance, Ask, Firmware, Kind, Server, isolated, tools};
use pxeberry::net::listen::{self, Listener};
use rustix::io::{FdFlags, fcntl_setfd};

/// What PID 1 is to the server.
struct Parent {
    listeners: Vec<Listener>,
}

impl Parent {
    /// Opens every socket and keeps it.
    fn new() -> Parent {
        let opened = listen::open("srv0", SERVER, &[8080, 80]);
        let listeners: Vec<Listener> = opened.into_iter().map(Result::unwrap).collect();
        for listener in &listeners {
            fcntl_setfd(listener, FdFlags::empty()).unwrap();
        }
        Parent { listeners }
    }

    /// Starts the server with the first `count` sockets at descriptors from 3, and with
    /// `heartbeat` behind them.
    fn starts(&self, appliance: &Appliance, count: usize, heartbeat: Option<&OwnedFd>) -> Server {
        tools::need("bash");
        let given = self.listeners.iter().take(count);
        let names: Vec<&str> = given.clone().map(|listener| listener.name.as_str()).collect();
        let sources = given.map(|listener| listener.socket.as_raw_fd());
        let sources: Vec<i32> = sources.chain(heartbeat.map(AsRawFd::as_raw_fd)).collect();
        // First out of the way, then in place: no number overwrites another.
        let away = sources.iter().zip(50..).map(|(from, to)| format!("{to}>&{from}"));
        let there = (3..).zip(50..).take(sources.len()).map(|(to, from)| format!("{to}>&{from}"));
        let redirections: Vec<String> = away.chain(there).collect();
        let script = format!("exec \"$@\" {}", redirections.join(" "));
        let mut command = Command::new("bash");
        command.args(["-c", &script, "bash", PROGRAM, "serve", "--config"]);
        command.arg(appliance.config());
        command.env("LISTEN_FDS", count.to_string()).env("LISTEN_FDNAMES", names.join(":"));
        if heartbeat.is_some() {
            command.env("PXEBERRY_HEARTBEAT_FD", (3 + count).to_string());
        }
        Server::spawn(&mut command)
    }
}

#[test]
fn who_comes_while_the_server_is_dead_is_served_by_the_next_one() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let parent = Parent::new();
        let server = parent.starts(&appliance, 5, None);
        server.log.wait_for("1 stick read");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        machine.get("/current/version.txt");
        server.dies();

        // Nobody serves now; a refusal would end a CoreOS installation.
        let mut by_http = [8080, 80].map(|port| machine.connect(port));
        for connection in &mut by_http {
            let request = format!("GET /1185.3.0/{IMAGE} HTTP/1.1\r\nHost: x\r\n\r\n");
            connection.send(request.as_bytes());
        }
        let by_tftp = machine.namespace.inside(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        by_tftp.set_read_timeout(Some(net::PATIENCE)).unwrap();
        by_tftp.send_to(b"\0\x01no-such-file\0octet\0", (SERVER, 69)).unwrap();
        machine.port.send(&Ask::new(Kind::Inform, machine.mac).from(machine.address()));

        let _server = parent.starts(&appliance, 5, None);
        for connection in &mut by_http {
            let answer = connection.answer(false).expect("no answer");
            assert_eq!(answer.status, 200);
            assert!(answer.body == stick.image_file(IMAGE));
        }
        let mut packet = [0; 600];
        by_tftp.recv_from(&mut packet).expect("no answer by TFTP");
        assert_eq!(packet[..2], *b"\0\x05");
    });
}

#[test]
fn a_download_goes_on_where_it_was_cut_when_the_server_is_killed() {
    isolated(|lan| {
        let appliance = Appliance::server();
        let stick = appliance.sample_stick();
        let large: Vec<u8> = stick.image_file(IMAGE).repeat(16);
        stick.write(&format!("images/coreos/1185.3.0/{IMAGE}"), &large);
        let parent = Parent::new();
        let server = parent.starts(&appliance, 5, None);
        server.log.wait_for("1 stick read");
        server.log.wait_for("giving addresses from");
        let machine = lan.machine(NODE_1);
        machine.boots(Firmware::Bios);
        let url = format!("http://10.10.10.1:8080/1185.3.0/{IMAGE}");
        let words = ["wget", "--no-verbose", "--limit-rate=16m", "-O", "/run/download", &url];
        let wget = Server::spawn(&mut machine.namespace.command(&words));
        server.log.wait_for("takes images/coreos/1185.3.0");
        server.dies();
        let server = parent.starts(&appliance, 5, None);
        let (lines, status) = wget.ends();
        assert!(status.success(), "{lines:#?}");
        assert!(std::fs::read("/run/download").unwrap() == large);
        server.log.wait_for("takes images/coreos/1185.3.0");
    });
}

#[test]
fn an_incomplete_hand_down_is_refused() {
    isolated(|_| {
        let appliance = Appliance::server();
        let parent = Parent::new();
        let line = parent.starts(&appliance, 3, None).refuses();
        assert!(line.contains("not all sockets were handed down"), "{line}");
    });
}

#[test]
fn the_parent_hears_a_heartbeat_every_second() {
    isolated(|_| {
        let appliance = Appliance::server();
        let parent = Parent::new();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let writer = OwnedFd::from(writer);
        fcntl_setfd(writer.as_fd(), FdFlags::empty()).unwrap();
        let started = std::time::Instant::now();
        let server = parent.starts(&appliance, 5, Some(&writer));
        drop(writer);
        let mut beats = [0; 3];
        reader.read_exact(&mut beats).unwrap();
        let took = started.elapsed().as_secs_f32();
        assert!((1.9..6.0).contains(&took), "three beats in {took} s");
        // Its end is the end of the pipe.
        server.dies();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
    });
}
