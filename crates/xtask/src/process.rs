//! Child processes that end in bounded time and never outlive us.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

const POLL: Duration = Duration::from_millis(10);

/// Part of util-linux, which every Linux system has.
#[cfg(target_os = "linux")]
const SETPRIV: &str = "/usr/bin/setpriv";

/// Says on standard error what is being waited for.
pub fn progress(what: &str) {
    eprintln!("\u{b7} {what}");
}

/// A command's name and arguments, for messages.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Waits until `child` ends, at most `patience`; then it is killed.
pub fn wait(child: &mut Child, patience: Duration) -> Result<std::process::ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            bail!("not done after {patience:?}, ended");
        }
        std::thread::sleep(POLL);
    }
}

/// Whether a person watches standard error: then long steps show their own progress.
#[must_use]
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Runs a command that must succeed, at most `patience`. All it prints goes to standard error: standard output is
/// for results.
pub fn run(command: &mut Command, patience: Duration) -> Result<()> {
    let name = describe(command);
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("starting `{name}`"))?;
    let status = wait(&mut child, patience).with_context(|| format!("`{name}`"))?;
    if !status.success() {
        bail!("`{name}`: {status}");
    }
    Ok(())
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The thread that starts children. `PR_SET_PDEATHSIG` acts when the *thread* that started the child ends,
/// and a test's thread ends long before the Envoy that it shares with others should.
static STARTER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
    let (sender, orders) = mpsc::channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in orders {
            // Only fails where the one who ordered has gone; then the child is dropped, which our end ends.
            let _ = reply.send(command.spawn());
        }
    });
    sender
});

/// A server that runs until it is dropped, or until this process ends in whatever way.
#[derive(Debug)]
pub struct Server(Child);

impl Server {
    /// Starts a command that [`bound_to_us`] began.
    pub fn start(command: Command) -> Result<Self> {
        let name = describe(&command);
        let (reply, answer) = mpsc::channel();
        STARTER
            .send((command, reply))
            .map_err(|_| anyhow!("the thread that starts processes is gone"))?;
        let child = answer
            .recv()?
            .with_context(|| format!("starting `{name}`"))?;
        Ok(Self(child))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal, by the name that `kill` knows.
    pub fn signal(&self, name: &str) -> Result<()> {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &self.pid().to_string()]);
        run(&mut kill, Duration::from_secs(5))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Its end of a piped standard input, once.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.0.stdin.take()
    }

    /// Its end of a piped standard output, once.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins the command line of a [`Server`]. On Linux the kernel kills it when we end; elsewhere it stays in our
/// process group, so that a terminal's Ctrl-C reaches it too.
///
/// `setpriv` sets the death signal and then becomes the program: no unsafe code between fork and exec.
#[cfg(target_os = "linux")]
pub fn bound_to_us(program: &OsStr) -> Command {
    use std::os::unix::process::CommandExt;

    let mut command = if std::path::Path::new(SETPRIV).exists() {
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.process_group(0);
    command
}

/// Begins the command line of a [`Server`], which stays in our process group, so that Ctrl-C reaches it too.
#[cfg(not(target_os = "linux"))]
pub fn bound_to_us(program: &OsStr) -> Command {
    Command::new(program)
}
