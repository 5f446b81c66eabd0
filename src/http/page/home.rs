//! `/`: the state in one line, as the LEDs show it; what is wrong; the machines; the images.

use std::fmt::Write;

use super::frame::{Frame, Visitor, frame};
use super::leds::{board, led_table};
use super::machines::{Wanted, list};
use super::words::{Safe, coded};
use crate::control::images::{Image, Images};
use crate::control::machines::Machine;
use crate::control::status::{Status, shown};
use crate::inventory::Problem;

/// All that the page shows.
pub struct Home {
    /// The box.
    pub status: Status,
    /// Its machines.
    pub machines: Vec<Machine>,
    /// Its images.
    pub images: Images,
    /// What a person should look at.
    pub problems: Vec<Problem>,
}

/// More of them are told in a fold.
const PROBLEMS_SHOWN: usize = 8;

/// The page.
pub fn home(home: &Home, wanted: &Wanted, visitor: &Visitor) -> String {
    let status = &home.status;
    let main = hero(status, visitor)
        + &problems(&home.problems, status.media.state == "refused")
        + &list(&home.machines, wanted)
        + &boots(status)
        + &images(&home.images)
        + &end(status);
    let moves = home.machines.iter().any(|machine| machine.transfer.is_some());
    let verifies = home.images.images.iter().any(|image| image.verification.percent.is_some());
    let busy = moves || verifies || status.media.state == "scanning";
    let title = shown(&status.conditions).map_or("starting", |entry| entry.state.name());
    let revision = Some(status.revision);
    frame(Frame { title, main, revision, busy }, visitor)
}

fn hero(status: &Status, visitor: &Visitor) -> String {
    let now = shown(&status.conditions);
    let mut html = format!(
        "<section class=card id=state><div class=hero>{}<div><h1>{}</h1>",
        board(now),
        Safe(&status.headline)
    );
    if let Some(entry) = now {
        let _ = write!(
            html,
            "<p class=act>{}</p><p class=soft>LEDs: {}, {}. <a href=#patterns>All patterns</a></p>",
            Safe(entry.action),
            entry.leds.names(),
            entry.pattern
        );
    }
    let (interface, dhcp) = (&status.interface, &status.dhcp);
    let _ = write!(
        html,
        "</div></div><div class=facts><span><b>{}</b> on {}</span>{}<span><b>DHCP</b> {}</span>{}",
        Safe(&interface.address),
        Safe(&interface.name),
        name_on_lan(interface.hostname.as_deref()),
        Safe(&dhcp.reason),
        sticks(status)
    );
    if let Some(form) = &visitor.form {
        let _ = write!(
            html,
            "<form method=post action=/rescan><input type=hidden name=token value={form}>\
             <button class=link>Read the sticks again</button></form>"
        );
    }
    html + "</div></section>"
}

fn name_on_lan(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!("<span><b>Name</b> {}</span>", Safe(name)))
}

fn sticks(status: &Status) -> String {
    let media = &status.media;
    let words = match media.state {
        "none" => "none".to_owned(),
        "scanning" => "being read".to_owned(),
        "refused" => "refused".to_owned(),
        _ => format!("{} image{}", media.images, if media.images == 1 { "" } else { "s" }),
    };
    format!("<span><b>Sticks</b> {words}</span>")
}

fn problems(problems: &[Problem], refused: bool) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let colour = if refused { "bad" } else { "amber" };
    let line = |problem: &Problem| {
        let place = match problem.line {
            Some(line) => format!("{}:{line}", problem.file),
            None => problem.file.clone(),
        };
        format!(
            "<li class=fault><i class=\"dot {colour}\"></i><div><code>{}</code><p>{}</p></div></li>",
            Safe(place),
            coded(&problem.message)
        )
    };
    let shown: String = problems.iter().take(PROBLEMS_SHOWN).map(line).collect();
    let rest: String = problems.iter().skip(PROBLEMS_SHOWN).map(line).collect();
    let count = problems.len();
    let mut html = format!(
        "<h2 id=problems>To look at <small>{count}</small></h2><ul class=\"card list\">{shown}</ul>"
    );
    if !rest.is_empty() {
        let more = count - PROBLEMS_SHOWN;
        let _ = write!(
            html,
            "<details id=more><summary>{more} more</summary><ul class=\"card list\">{rest}</ul></details>"
        );
    }
    html
}

/// What firmware does with our offers beside another DHCP server; nothing where we are alone.
fn boots(status: &Status) -> String {
    let mut html = String::new();
    for boot in &status.boots {
        let name = boot.name.clone().unwrap_or_default();
        let _ = write!(
            html,
            "<li class=pics><div class=who>{}<span class=mono>{}</span></div><div></div><div>{}</div></li>",
            Safe(name),
            boot.mac,
            Safe(boot.seen)
        );
    }
    match html.as_str() {
        "" => html,
        _ => format!(
            "<h2>Network boots beside the other DHCP server</h2><ul class=\"card list\">{html}</ul>"
        ),
    }
}

fn images(images: &Images) -> String {
    let count = match images.images.len() {
        0 => String::new(),
        count => format!(" <small>{count}</small>"),
    };
    let mut html = format!("<h2 id=images>Images{count}</h2>");
    if images.images.is_empty() {
        html.push_str(
            "<div class=\"card empty\"><b>No image</b>Put the files of a system into \
             <code>images/&lt;system&gt;/&lt;version&gt;/</code> on a stick and plug it in.</div>",
        );
    } else {
        let rows: String = images.images.iter().map(image).collect();
        let _ = write!(html, "<ul class=\"card list\">{rows}</ul>");
    }
    if !images.keys.is_empty() {
        html.push_str("<details id=keys><summary>Keys on the sticks</summary><ul>");
        for key in &images.keys {
            let _ = write!(html, "<li class=mono>{}</li>", Safe(key));
        }
        html.push_str("</ul></details>");
    }
    html
}

fn image(image: &Image) -> String {
    let found = &image.verification;
    let (colour, word) = match found.state {
        "verified" => ("green", "verified"),
        "waiting" => ("amber", "checking"),
        "off" => ("calm", "not checked"),
        "not-signed" => ("calm", "not signed"),
        "checksum-only" => ("calm", "checksum"),
        "unknown-key" => ("amber", "unknown key"),
        "expired-key" => ("bad", "expired key"),
        "revoked-key" => ("bad", "revoked key"),
        "damaged-signature" => ("bad", "damaged"),
        other => ("bad", other),
    };
    let bar = found.percent.map_or_else(String::new, |percent| {
        format!("<progress max=100 value={percent} aria-label=Verification></progress>")
    });
    format!(
        "<li class=pics><div class=who><b>{}</b></div>\
         <div><span class=\"pill {colour}\"><i class=dot></i>{}</span></div>\
         <div>{bar}<small>{}</small></div></li>",
        Safe(&image.name),
        Safe(word),
        Safe(&found.words)
    )
}

fn end(status: &Status) -> String {
    format!(
        "<footer>{}<p class=soft>pxeberry {} · holds {} KiB of memory · runs as {} · \
         <a href=/api/v1/openapi.json>API</a></p></footer>",
        led_table(shown(&status.conditions)),
        status.version,
        status.memory_kib,
        Safe(status.confinement.words())
    )
}
