//! Where answers that take a while are made: one at a time, on a thread of its own.
//!
//! With thousands of machines, to look at all of them takes long. What was found serves again
//! for a while, and who asks for less does not wait behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::control::api::{self, ApiAnswer, ApiRequest};
use crate::control::images::images;
use crate::control::machines::machines;
use crate::control::status::{problems, status};
use crate::http::page::Home;
use crate::world::World;
use crate::world::media::Scanner;

/// What was looked up serves so long while nothing changes.
const FRESH: Duration = Duration::from_millis(400);

/// And so many times as long as it took, whatever changes: with thousands of machines, and
/// many who look, most of the time is left for others.
const REST: u32 = 2;

/// What was looked up last.
#[derive(Default)]
pub struct Desk {
    home: Option<(Looked, Arc<Home>)>,
    machines: Option<(Looked, ApiAnswer)>,
}

/// When something was looked up, of which state, and how long that took.
struct Looked {
    ended: Instant,
    took: Duration,
    revision: u64,
}

impl Looked {
    fn is_fresh(&self, world: &World) -> bool {
        let age = self.ended.elapsed();
        age < self.took * REST || age < FRESH && self.revision == world.revision()
    }
}

/// The same while it is looked up.
struct Looking(Instant, u64);

impl Looking {
    fn begin(world: &World) -> Looking {
        Looking(Instant::now(), world.revision())
    }

    fn ends(self) -> Looked {
        Looked { ended: Instant::now(), took: self.0.elapsed(), revision: self.1 }
    }
}

impl Desk {
    /// What the page shows.
    pub fn home(&mut self, world: &World) -> Arc<Home> {
        if let Some((_, home)) = self.home.as_ref().filter(|(looked, _)| looked.is_fresh(world)) {
            return Arc::clone(home);
        }
        let looking = Looking::begin(world);
        let home = Arc::new(Home {
            status: status(world),
            machines: machines(world),
            images: images(world),
            problems: problems(world),
        });
        self.home = Some((looking.ends(), Arc::clone(&home)));
        home
    }

    /// The API's list.
    pub fn machines(&mut self, world: &World, scanner: &Scanner) -> ApiAnswer {
        let known = self.machines.as_ref().filter(|(looked, _)| looked.is_fresh(world));
        if let Some((_, answer)) = known {
            return answer.clone();
        }
        let looking = Looking::begin(world);
        let request = ApiRequest { method: "GET", path: "/v1/machines", query: "", body: &[] };
        let answer = api::answer(world, scanner, &request);
        self.machines = Some((looking.ends(), answer.clone()));
        answer
    }
}

/// Does work that takes a while, one piece at a time. None: there is no thread for it.
pub async fn at<P: Send + 'static, T: Send + 'static>(
    place: &Arc<Mutex<P>>,
    work: impl FnOnce(&mut P) -> T + Send + 'static,
) -> Option<T> {
    let mut place = Arc::clone(place).lock_owned().await;
    tokio::task::spawn_blocking(move || work(&mut place)).await.ok()
}
