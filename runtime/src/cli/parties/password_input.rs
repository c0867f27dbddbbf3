//! Passwords from people, who do not see them, and from programs.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The first line of standard input; on a terminal it is asked for twice.
///
/// # Errors
/// There is none, or the two differ.
pub(super) fn read() -> Result<String, String> {
    if !std::io::stdin().is_terminal() {
        return line();
    }
    let hidden = Hidden::new();
    let password = asked("Password: ")?;
    let again = asked("The same again: ")?;
    drop(hidden);
    if password == again { Ok(password) } else { Err("the two passwords differ; nothing was changed".to_owned()) }
}

fn asked(prompt: &str) -> Result<String, String> {
    let show = |text: &str| {
        let mut terminal = std::io::stderr();
        let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
    };
    show(prompt);
    let line = line();
    show("\n");
    line
}

fn line() -> Result<String, String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err("the first line of standard input is empty".to_owned());
    }
    Ok(password.to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Option<Termios>);

impl Hidden {
    fn new() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet);
        }
        Self(before)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
