//! `pleach send` and `pleach recv` through `pleach relay`.

mod broken;
mod files;
mod local;
mod passwords;
mod relays;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Process, Scratch};

/// A relay, and where files come from and go to.
struct Stage {
    scratch: Scratch,
    relay: Process,
    handshake: String,
    secure_port: String,
}

impl Stage {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let home = scratch.path("");
        fs::create_dir(scratch.path("in")).unwrap();
        fs::write(scratch.path("password"), "open sesame\n").unwrap();
        fs::write(scratch.path("wrong"), "open barley\n").unwrap();
        let arguments = ["-vv", "relay", "--listen", "127.0.0.1:0", "--secure-port", "0", "--json"];
        let relay = Process::start(&home, &arguments);
        let address = || relay.json("listening")["address"].as_str().unwrap().to_owned();
        let (handshake, secure) = (address(), address());
        let secure_port = secure.rsplit_once(':').unwrap().1.to_owned();
        Self { scratch, relay, handshake, secure_port }
    }

    /// A file to send.
    fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.scratch.path("a file.bin");
        fs::write(&path, content).unwrap();
        path
    }

    /// A file that takes so long, uncompressed, that a transfer is caught in the middle on any machine. It has no blocks.
    fn large_file(&self) -> PathBuf {
        let path = self.scratch.path("a file.bin");
        fs::File::create(&path).unwrap().set_len(8 << 30).unwrap();
        path
    }

    /// The arguments of a command about this relay.
    fn arguments<'a>(&'a self, first: &[&'a str], others: &[&'a str]) -> Vec<&'a str> {
        let relay = ["--relay", &self.handshake, "--secure-port", &self.secure_port];
        [first, &relay, others].concat()
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path(name).to_str().unwrap().to_owned()
    }

    /// Sends `file` under the common password.
    fn send(&self, file: &Path, others: &[&str]) -> Process {
        let password = self.path("password");
        let first = ["send", "--json", file.to_str().unwrap(), "--password-file", &password];
        Process::start(&self.scratch.path(""), &self.arguments(&first, others))
    }

    /// Receives into the folder `in`, under the password in the file of this name.
    fn recv_as(&self, password: &str, others: &[&str]) -> Process {
        let (password, folder) = (self.path(password), self.path("in"));
        let first = ["recv", "--json", "--password-file", &password, "--output", &folder];
        Process::start(&self.scratch.path(""), &self.arguments(&first, others))
    }

    /// Receives under the common password, without asking.
    fn recv(&self) -> Process {
        self.recv_as("password", &["--yes"])
    }

    /// What is in the folder `in`.
    fn received(&self) -> Vec<String> {
        let entries = fs::read_dir(self.scratch.path("in")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn content(&self, name: &str) -> Vec<u8> {
        fs::read(self.scratch.path("in").join(name)).unwrap()
    }
}

/// The person at this receiver is asked about a sender, then about its file, and wants both.
fn accept(receiver: &mut Process) {
    receiver.json("offer");
    receiver.say(b"y");
    receiver.json("file");
    receiver.say(b"Yes");
}

/// Waits until it ends, with success, and gives its last line.
fn done(mut process: Process) -> Value {
    let end = process.json("end");
    assert_eq!((process.code(), &end["ok"], &end["exit"]), (Some(0), &true.into(), &0.into()), "{end}");
    end
}

/// Waits until it ends, and tells that it failed so.
fn failed(mut process: Process, exit: i32, code: &str) -> Value {
    let end = process.json("end");
    let error = &end["error"];
    assert_eq!(
        (&end["ok"], &error["code"], &end["exit"]),
        (&false.into(), &code.into(), &exit.into()),
        "{end}"
    );
    assert_eq!(process.code(), Some(exit));
    end
}
