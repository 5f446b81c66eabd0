//! The panel drawn in a terminal: three LEDs and what they say; the space bar is the button.
//!
//! For developers and for people without a Pi at hand. It gives the terminal back as it
//! found it, also after a panic.

use std::io::{self, IsTerminal, Read, Write};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use super::board::{Board, BoardError};
use super::pattern::{Leds, State, table};

/// A terminal tells only key strokes, not releases. A held key repeats, at the latest after
/// 660 ms (the usual first delay); without another stroke it has been released.
const RELEASED_AFTER: Duration = Duration::from_millis(700);

/// Strokes that are read at once; the rest is read 20 ms later.
const STROKES: usize = 64;

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// From the cursor to the end of the screen.
const CLEAR: &str = "\r\x1b[J";
/// The cursor waits above the drawing, where the next log line belongs.
const UP: &str = "\x1b[2A\r";
/// In a narrow terminal the drawing is cut, not folded: [`UP`] counts its lines.
const NO_FOLDING: &str = "\x1b[?7l";
const FOLDING: &str = "\x1b[?7h";

/// The terminal, in our hands until dropped.
#[derive(Debug)]
pub struct Terminal {
    stroke: Option<Instant>,
    _raw: RawMode,
}

impl Terminal {
    /// Takes over standard input and output.
    pub fn open() -> Result<Terminal, BoardError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(BoardError::NotATerminal);
        }
        let raw = RawMode::enter().map_err(BoardError::Terminal)?;
        print(&format!("space bar: the button; Ctrl-C: end\n{HIDE_CURSOR}"));
        Ok(Terminal { stroke: None, _raw: raw })
    }
}

impl Board for Terminal {
    fn set(&mut self, leds: Leds, state: State) {
        print(&format!("{CLEAR}{NO_FOLDING}\n{}{FOLDING}{UP}", drawing(leds, state)));
    }

    fn button_pressed(&mut self) -> bool {
        let mut strokes = [0; STROKES];
        // A terminal without strokes and one that is gone both read as nothing.
        let count = io::stdin().read(&mut strokes).unwrap_or(0);
        if strokes.iter().take(count).any(|stroke| *stroke == b' ') {
            self.stroke = Some(Instant::now());
        }
        self.stroke.is_some_and(|stroke| stroke.elapsed() < RELEASED_AFTER)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        print(&format!("{CLEAR}{SHOW_CURSOR}"));
    }
}

/// Lit and dark differ in shape too, not in colour alone.
fn drawing(leds: Leds, state: State) -> String {
    let led = |lit: bool, colour: u8, name: &str| {
        if lit { format!("\x1b[1;{colour}m● {name}\x1b[0m") } else { format!("○ {name}") }
    };
    let meaning = table().iter().find(|entry| entry.state == state).map_or("", |e| e.meaning);
    format!(
        "{}  {}  {}   {}\n{meaning}",
        led(leds.red, 31, "red"),
        led(leds.amber, 33, "amber"),
        led(leds.green, 32, "green"),
        state.name()
    )
}

/// A terminal that takes no more output cannot be helped, and must not stop the panel.
fn print(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Key strokes at once and unseen; Ctrl-C still sends its signal.
struct RawMode {
    before: libc::termios,
}

impl std::fmt::Debug for RawMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawMode")
    }
}

impl RawMode {
    fn enter() -> io::Result<RawMode> {
        let mut settings = MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the pointer is to a termios of ours, which the call only writes.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, so it has filled in all of it.
        let before = unsafe { settings.assume_init() };
        let mut ours = before;
        ours.c_lflag &= !(libc::ICANON | libc::ECHO);
        // A read without strokes returns at once with nothing.
        for (index, control) in ours.c_cc.iter_mut().enumerate() {
            if index == libc::VMIN || index == libc::VTIME {
                *control = 0;
            }
        }
        apply(&ours)?;
        Ok(RawMode { before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = apply(&self.before);
    }
}

fn apply(settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the pointer is to a whole termios that the call only reads.
    match unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lit_and_dark_can_be_told_without_colour() {
        let leds = Leds { amber: true, ..Leds::OFF };
        let drawing = drawing(leds, State::NoStick);
        for part in ["○ red", "● amber", "○ green", "no-stick", "No USB stick"] {
            assert!(drawing.contains(part), "{part} in {drawing}");
        }
    }
}
