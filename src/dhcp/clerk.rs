//! Answers that must not leave before something is on the card.
//!
//! A card can take a tenth of a second for one write. Who is only offered an address does
//! not wait for that, and all that comes meanwhile is written together: the clerk works on
//! a thread of its own, one commit for everything that has piled up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::route::Route;
use super::socket::DhcpSocket;
use super::story;
use super::wire::{self, Reply};
use crate::world::{Touched, World};

/// Papers that may lie before the clerk. A room of 200 machines needs 200; when the card
/// does not write at all, clients ask again.
const MOST_PAPERS: usize = 1_024;

/// Rows that wait for a card that does not write: one for each lease that is remembered.
const MOST_OWED: usize = 16_384;

/// What is to be on the card, and who is told then.
#[derive(Debug, Default)]
pub struct Paper {
    /// What was changed in memory.
    pub touched: Vec<Touched>,
    /// The answer that relies on it.
    pub reply: Option<(Reply, Route)>,
}

/// The way to the clerk.
pub struct Desk(SyncSender<Paper>);

impl Desk {
    /// Hands a paper over; false if it found no place, and nobody will be told.
    pub fn put(&self, paper: Paper) -> bool {
        !matches!(self.0.try_send(paper), Err(TrySendError::Full(_)))
    }
}

/// A desk, and the papers on it for [`run`].
pub fn desk() -> (Desk, Receiver<Paper>) {
    let (sender, receiver) = sync_channel(MOST_PAPERS);
    (Desk(sender), receiver)
}

/// Writes down and answers, in the order of the papers, until there is no desk any more.
pub fn run(world: &World, socket: &DhcpSocket, papers: &Receiver<Paper>) {
    let mut owed = Vec::new();
    while let Ok(first) = papers.recv() {
        let mut batch = vec![first];
        batch.extend(papers.try_iter().take(MOST_PAPERS));
        // Without a clerk nobody would get an address any more, and nobody would notice.
        let worked = catch_unwind(AssertUnwindSafe(|| work(world, socket, &batch, &mut owed)));
        if worked.is_err() {
            log::error!("dhcp: {} answers were lost by a fault in this program", batch.len());
        }
    }
}

/// `owed`: what could not be written before. A client that asks again is promised the same,
/// so nobody is answered before it is on the card.
fn work(world: &World, socket: &DhcpSocket, batch: &[Paper], owed: &mut Vec<Touched>) {
    owed.extend(batch.iter().flat_map(|paper| paper.touched.iter().copied()));
    owed.sort_unstable();
    owed.dedup();
    if !world.write_down(owed) {
        // Past this nothing of the card is known; a restart reads what is there.
        owed.truncate(MOST_OWED);
        return;
    }
    owed.clear();
    for (reply, route) in batch.iter().filter_map(|paper| paper.reply.as_ref()) {
        send(world, socket, reply, *route);
    }
}

/// Sends an answer; what goes wrong is a line.
pub fn send(world: &World, socket: &DhcpSocket, reply: &Reply, route: Route) {
    let packet = wire::encode(reply);
    world.packet(reply.mac, story::ends_out(world, route), &packet);
    match socket.send(&packet, route) {
        Ok(()) => world.counters.dhcp(reply.kind),
        Err(error) => {
            log::warn!("dhcp: {}: the answer could not be sent: {error}", world.name(reply.mac));
        }
    }
}
