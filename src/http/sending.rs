//! Sends a part of a file into a socket, a turn at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::socket::Socket;
use crate::inventory::media_file::Window;

/// The most that is sent in one turn. A socket rarely has room for more, and each change from
/// one to another costs: with turns of 2 MiB a quarter more processor time.
const LARGEST_TURN: usize = 4 * 1024 * 1024;

/// A turn ends when it has taken this long: what has to come from the stick is sent in small
/// pieces, so that hundreds of downloads get some of it each second.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// What is sent before the clock is looked at. While that is as fast as memory, four times as
/// much the next time.
const STEP: usize = 128 * 1024;

/// When the page cache has no more of it, a slow stick takes a tenth of a second for this.
const LARGEST_STEP: usize = 1024 * 1024;

/// Nothing that comes from a stick is as fast as this (128 MB/s).
const FROM_THE_PAGE_CACHE: Duration = Duration::from_millis(1);

/// When it is told how far it is, if the socket has room all the time.
const LONGEST_SILENCE: Duration = Duration::from_millis(100);

/// A part of a file on its way into a socket.
pub struct Sending<S> {
    file: Arc<Window>,
    at: u64,
    left: usize,
    sent: usize,
    step: usize,
    socket: Arc<S>,
    begun: Option<Instant>,
}

impl<S: Socket> Sending<S> {
    /// `length` bytes of `file` from `at` on.
    pub fn new(file: Arc<Window>, at: u64, length: usize, socket: Arc<S>) -> Sending<S> {
        Sending { file, at, left: length, sent: 0, step: STEP, socket, begun: None }
    }

    /// Sends some more, as far as there is room. None: the socket had room for all of that, so
    /// there may be another turn. Else how much was sent in all turns; nothing at all is an
    /// error of kind "would block". `now` is asked for the time between the pieces.
    pub fn turn(&mut self, now: impl Fn() -> Instant) -> Option<io::Result<usize>> {
        let begin = now();
        let silent_since = *self.begun.get_or_insert(begin);
        let mut took = Duration::ZERO;
        let mut room = LARGEST_TURN;
        while self.left > 0 && room > 0 && took < LONGEST_TURN {
            let count = match self.send(self.left.min(self.step).min(room)) {
                Ok(count) => count,
                // It comes again, when what was sent has been told.
                Err(_) if self.sent > 0 => return Some(Ok(self.sent)),
                Err(error) => return Some(Err(error)),
            };
            room = room.saturating_sub(count);
            let before = std::mem::replace(&mut took, now() - begin);
            let fast = took.saturating_sub(before) < FROM_THE_PAGE_CACHE;
            self.step = if fast { LARGEST_STEP.min(self.step * 4) } else { STEP };
        }
        // A slow stick is told of at each turn: many wait for the next one.
        let slow = took >= LONGEST_TURN;
        let told = self.left == 0 || slow || begin + took - silent_since >= LONGEST_SILENCE;
        told.then_some(Ok(self.sent))
    }

    fn send(&mut self, most: usize) -> io::Result<usize> {
        let send = || self.file.send_to(self.socket.as_fd(), self.at, most);
        let count = self.socket.try_to_write(send)?;
        self.at += count as u64;
        self.sent += count;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::socket::Bottomless;
    use super::*;
    use crate::inventory::MediaFile;
    use crate::inventory::media_file::modified;

    /// So many bytes on their way, and their file, which has no name any more.
    fn sending(name: &str, size: u64) -> (Sending<Bottomless>, std::fs::File) {
        let folder = std::env::temp_dir();
        let path = format!("pxeberry-sending-{name}-{}", std::process::id());
        let file = std::fs::File::create(folder.join(&path)).unwrap();
        file.set_len(size).unwrap();
        let modified = modified(&file.metadata().unwrap());
        let media =
            MediaFile { volume: folder.as_path().into(), path, size, modified, inside: None };
        let window = Arc::new(media.open().unwrap());
        std::fs::remove_file(folder.join(&media.path)).unwrap();
        let length = usize::try_from(size).unwrap();
        (Sending::new(window, 0, length, Arc::new(Bottomless::default())), file)
    }

    /// A machine as fast as that: no time goes by.
    fn at_once() -> impl Fn() -> Instant {
        let begin = Instant::now();
        move || begin
    }

    /// Each piece takes so long.
    fn each_in(step: Duration) -> impl Fn() -> Instant {
        let time = Cell::new(Instant::now());
        move || time.replace(time.get() + step)
    }

    #[test]
    fn a_socket_with_room_for_all_of_it_takes_it_in_turns() {
        let size = 2 * LARGEST_TURN + 7;
        let (mut sending, _) = sending("turns", size as u64);
        let now = at_once();
        for turn in 1..=2 {
            assert!(sending.turn(&now).is_none());
            assert_eq!(sending.sent, turn * LARGEST_TURN);
        }
        assert_eq!(sending.turn(&now).unwrap().unwrap(), size);
    }

    #[test]
    fn what_comes_from_a_slow_stick_is_told_of_at_each_turn() {
        let (mut sending, _) = sending("slow", 2 * LARGEST_TURN as u64);
        assert_eq!(sending.turn(each_in(LONGEST_TURN)).unwrap().unwrap(), STEP);
    }

    #[test]
    fn what_comes_slower_than_from_memory_goes_out_in_small_pieces() {
        let (mut sending, _) = sending("pieces", 2 * LARGEST_TURN as u64);
        let pieces = LONGEST_TURN.as_millis() / FROM_THE_PAGE_CACHE.as_millis();
        let sent = sending.turn(each_in(FROM_THE_PAGE_CACHE)).unwrap().unwrap();
        assert_eq!(sent as u128, pieces * STEP as u128);
    }

    #[test]
    fn it_is_told_in_between_how_far_it_is() {
        let (mut sending, _) = sending("told", 3 * LARGEST_TURN as u64);
        let now = at_once();
        assert!(sending.turn(&now).is_none());
        let later = now() + LONGEST_SILENCE;
        assert_eq!(sending.turn(|| later).unwrap().unwrap(), 2 * LARGEST_TURN);
    }

    #[test]
    fn what_was_sent_before_an_error_counts_and_then_the_error_comes() {
        let (mut sending, file) = sending("short", 3 * STEP as u64);
        file.set_len(STEP as u64).unwrap();
        assert_eq!(sending.turn(at_once()).unwrap().unwrap(), STEP);
        let Sending { file, at, left, socket, .. } = sending;
        let error = Sending::new(file, at, left, socket).turn(at_once()).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
