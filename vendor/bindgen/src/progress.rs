//! Tells people how far the compilation is. Cargo shows a build script's output only after it failed, so the lines go to
//! the descriptor whose number is in `DYNAMO_SERVER_PROGRESS` (`./run` and `./check` hand their standard error down as
//! one), or else to the terminal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::FromRawFd;
use std::sync::Mutex;

pub(crate) struct Progress {
    to: Option<Mutex<File>>,
}

impl Progress {
    pub(crate) fn open() -> Progress {
        let named = std::env::var("DYNAMO_SERVER_PROGRESS").ok().and_then(|number| number.parse().ok());
        // SAFETY: dup takes a number and fails where that is no open descriptor; what it returns is ours.
        let inherited = named.map(|number| unsafe { libc::dup(number) }).filter(|copy| *copy >= 0);
        let to = match inherited {
            // SAFETY: as above.
            Some(copy) => Some(unsafe { File::from_raw_fd(copy) }),
            None => OpenOptions::new().append(true).open("/dev/tty").ok(),
        };
        Progress { to: to.map(Mutex::new) }
    }

    #[cfg(test)]
    pub(crate) fn none() -> Progress {
        Progress { to: None }
    }

    /// One line; on a terminal in the place of cargo's progress bar, which cargo draws again below.
    pub(crate) fn say(&self, line: &str) {
        let Some(to) = &self.to else { return };
        let Ok(mut to) = to.lock() else { return };
        let start = if std::io::IsTerminal::is_terminal(&*to) { "\r\x1b[K" } else { "" };
        // Nobody may be listening any more.
        let _ = to.write_all(format!("{start}{line}\n").as_bytes());
    }
}
