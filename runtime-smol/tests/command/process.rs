//! Running the command in a directory of its own.

use std::fs;
use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// Nothing here takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that is removed at the end of a test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("pleach-command-{name}-{process}-{count}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The command, with nothing of the environment that could change what it does.
pub(crate) fn pleach(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pleach"));
    command.env_clear().env("HOME", home).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut process = Process::start(home, arguments);
    drop(process.stdin.take());
    let status = ended(&mut process.child);
    let bytes = |lines: &Receiver<String>| lines.iter().flat_map(|line| (line + "\n").into_bytes()).collect();
    Output { status, stdout: bytes(&process.stdout), stderr: bytes(&process.stderr) }
}

/// Waits for its end.
fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    patiently("its end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Waits until this holds.
pub(crate) fn patiently(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An address at which dials are refused, for as long as the socket is kept: nobody else can have its port.
pub(crate) fn unserved() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether commands started here hear HUP: not where whoever runs the tests had it ignored, as `nohup` does.
pub(crate) fn hears_hang_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    let hears = u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 0;
    if !hears {
        eprintln!("skipped: HUP is ignored here, and commands that were started so go on ignoring it");
    }
    hears
}

/// A running command.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    /// Starts the command with these arguments.
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = pleach(home);
        command.args(arguments);
        Self::spawn(&mut command)
    }

    /// Starts a node whose data is in a folder of this name.
    pub(crate) fn node(home: &Path, data: &str, arguments: &[&str]) -> Self {
        let data = home.join(data);
        Self::start(home, &[&["node", "--data-dir", data.to_str().unwrap()], arguments].concat())
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        Self::of(child, stdout)
    }

    /// Starts the command with a stdout whose reader is gone.
    pub(crate) fn start_unheard(home: &Path, arguments: &[&str]) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        Self::start_into(writer, home, arguments)
    }

    /// Starts the command with this stdout.
    pub(crate) fn start_into(stdout: PipeWriter, home: &Path, arguments: &[&str]) -> Self {
        let mut command = pleach(home);
        command.args(arguments).stdout(stdout).stdin(Stdio::piped()).stderr(Stdio::piped());
        Self::of(command.spawn().unwrap(), lines(io::empty()))
    }

    fn of(mut child: Child, stdout: Receiver<String>) -> Self {
        let (stdin, stderr) = (child.stdin.take(), lines(child.stderr.take().unwrap()));
        Self { child, stdin, stdout, stderr }
    }

    pub(crate) fn say(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(&[line, b"\n"].concat()).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("no line on stdout")
    }

    /// Waits for a line of stderr that starts so, and gives back the rest of it.
    pub(crate) fn note(&self, start: &str) -> String {
        loop {
            let line =
                self.stderr.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {start:?} on stderr"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Waits for a line of stderr that contains this.
    pub(crate) fn logged(&self, part: &str) {
        let mut lines = std::iter::from_fn(|| self.stderr.recv_timeout(PATIENCE).ok());
        assert!(lines.any(|line| line.contains(part)), "no {part:?} on stderr");
    }

    /// Waits for a JSON line of this type.
    pub(crate) fn json(&self, kind: &str) -> Value {
        self.json_with(|line| line["type"] == kind)
    }

    /// Waits for the JSON line that says that this stage begins.
    pub(crate) fn stage(&self, stage: &str) {
        self.json_with(|line| line["type"] == "stage" && line["stage"] == stage);
    }

    /// Waits for a JSON line like this.
    pub(crate) fn json_with(&self, is_meant: impl Fn(&Value) -> bool) -> Value {
        let mut passed = Vec::new();
        loop {
            let Ok(line) = self.stdout.recv_timeout(PATIENCE) else {
                let errors: Vec<_> = self.stderr.try_iter().collect();
                panic!("not among {passed:#?} {errors:#?}")
            };
            let value: Value = serde_json::from_str(&line).unwrap();
            if is_meant(&value) {
                return value;
            }
            passed.push(line);
        }
    }

    /// Everything else on stderr, once it has ended.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.stdout.iter().chain(self.stderr.iter()).collect()
    }

    /// Asks it to end, and gives its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.code()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, once it has ended; none if a signal ended it.
    pub(crate) fn code(&mut self) -> Option<i32> {
        ended(&mut self.child).code()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Asks an HTTP server.
pub(crate) fn get(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
