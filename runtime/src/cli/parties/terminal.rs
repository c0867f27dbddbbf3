//! Passwords from people, who do not see them, and from programs.

use std::io::{IsTerminal as _, Write as _};

use crate::cli::standard_input::{self, PasswordInputError};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The first line of standard input; on a terminal it is asked for twice.
///
/// # Errors
/// There is none, or the two differ.
pub(super) fn password() -> Result<String, PasswordInputError> {
    if !std::io::stdin().is_terminal() {
        return standard_input::password();
    }
    let hidden = Hidden::new();
    let password = typed("Password: ")?;
    let again = typed("The same again: ")?;
    drop(hidden);
    if password == again { Ok(password) } else { Err(PasswordInputError::Different) }
}

fn typed(prompt: &str) -> Result<String, PasswordInputError> {
    let show = |text: &str| {
        let mut terminal = std::io::stderr();
        let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
    };
    show(prompt);
    let password = standard_input::password();
    show("\n");
    password
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
