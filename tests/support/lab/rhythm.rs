//! Rhythms: recognising a state's pattern in what LEDs did.

use std::time::{Duration, Instant};

use pxeberry::panel::pattern::{self, Leds, State, table};

/// How far a flash may be from what the table says: its clock is a busy host's. Rhythms of
/// the table differ by more.
const TOLERANCE: f64 = 0.25;
const JITTER: Duration = Duration::from_millis(40);

/// The steps of a pattern are multiples of it.
const GRID: Duration = Duration::from_millis(20);

/// What was lit since when, until the next one.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// What was lit.
    pub leds: Leds,
    /// Since when.
    pub since: Instant,
}

/// Where something is.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The first run of it.
    pub run: usize,
    /// The first run behind it.
    pub next: usize,
}

/// The first whole rhythm of `state` in its colours, wherever in it that begins.
pub fn find(runs: &[Run], state: State) -> Option<Found> {
    let steps = steps(state);
    let run = runs.windows(steps.len() + 1).position(|runs| shows(runs, state, &steps))?;
    Some(Found { run, next: run + steps.len() })
}

/// The same from its beginning, followed by darkness for good.
pub fn find_last(runs: &[Run], state: State) -> Option<Found> {
    let steps = steps(state);
    let run = runs.windows(steps.len()).position(|runs| fits(runs, state, &steps, 0))?;
    Some(Found { run, next: run + steps.len() - 1 })
}

/// `amber 500 ms, dark 480 ms`
pub fn told(runs: &[Run]) -> String {
    let ends = runs.iter().skip(1).map(|run| run.since).chain([Instant::now()]);
    let told = runs.iter().zip(ends).map(|(run, end)| {
        let lit = if run.leds == Leds::OFF { "dark".to_owned() } else { run.leds.names() };
        format!("{lit} {} ms", (end - run.since).as_millis())
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The steps of a pattern, lit first.
fn steps(state: State) -> Vec<Duration> {
    let ticks = pattern::period(state).as_millis() / GRID.as_millis();
    let levels = |tick: u128| pattern::levels(state, GRID * u32::try_from(tick).unwrap_or(0));
    let mut steps = Vec::new();
    for tick in 0..ticks {
        match steps.last_mut() {
            Some(step) if tick > 0 && levels(tick) == levels(tick - 1) => *step += GRID,
            _ => steps.push(GRID),
        }
    }
    steps
}

/// Whether these runs are one period of the pattern, wherever in it they begin.
fn shows(runs: &[Run], state: State, steps: &[Duration]) -> bool {
    (0..steps.len()).any(|shift| fits(runs, state, steps, shift))
}

/// Whether these runs are the pattern's from step `shift` on. The last of them only ends the
/// one before.
fn fits(runs: &[Run], state: State, steps: &[Duration], shift: usize) -> bool {
    let lit = table().iter().find(|entry| entry.state == state).map(|entry| entry.leds);
    let mut places = (0..steps.len()).cycle().skip(shift);
    runs.windows(2).all(|pair| match (pair, places.next()) {
        ([run, next], Some(place)) => {
            let expected = if place.is_multiple_of(2) { lit } else { Some(Leds::OFF) };
            let step = steps.get(place);
            expected == Some(run.leds)
                && step.is_some_and(|step| close(next.since - run.since, *step))
        }
        _ => false,
    })
}

fn close(seen: Duration, wanted: Duration) -> bool {
    seen.abs_diff(wanted) <= JITTER + wanted.mul_f64(TOLERANCE)
}
