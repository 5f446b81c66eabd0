//! `/`: the appliance's state for people. Plain HTML, works in any browser.

use std::fmt::Write;

use crate::control::images::{Images, images};
use crate::control::machines::{Boot, Machine, machines};
use crate::control::status::{Status, problems, shown, status};
use crate::inventory::Problem;
use crate::panel::pattern::{Entry, table};
use crate::world::World;

/// The page as it is now.
pub fn page(world: &World) -> String {
    let now = Now {
        status: status(world),
        machines: machines(world),
        images: images(world),
        problems: problems(world),
    };
    render(&now)
}

/// All that it shows.
struct Now {
    status: Status,
    machines: Vec<Machine>,
    images: Images,
    problems: Vec<Problem>,
}

fn render(all: &Now) -> String {
    let status = &all.status;
    let mut page = String::from(HEAD);
    // Writing into a String cannot fail.
    let _ = write!(
        page,
        "<h1>pxeberry</h1><p class=state>{}</p><p>{} · {}</p>",
        escaped(&status.headline),
        escaped(&status.interface.name),
        escaped(&status.interface.address)
    );
    let now = shown(&status.conditions);
    if let Some(entry) = now {
        let (leds, pattern, action) = (entry.leds.names(), entry.pattern, entry.action);
        let _ = write!(page, "<p>LEDs: {leds}, {pattern}. {action} <a href=#leds>All patterns</a>");
    }
    page.push_str("<h2>Machines</h2><table><tr><th>Machine<th>Address<th>State<th>Next boot</tr>");
    for machine in &all.machines {
        let _ = write!(
            page,
            "<tr><td>{} <small>{}</small><td>{}<td>{}{}<td>{}</tr>",
            escaped(machine.name.as_deref().unwrap_or("")),
            machine.mac,
            machine.address.map_or_else(String::new, |address| address.to_string()),
            machine.state.name(),
            machine.boot.as_ref().map_or_else(String::new, last_boot),
            escaped(&machine.next),
        );
    }
    page.push_str("</table>");
    page.push_str(&boots(status));
    page.push_str("<h2>Images</h2><ul>");
    for found in &all.images.images {
        let (image, words) = (escaped(&found.name), escaped(&found.verification.words));
        let _ = write!(page, "<li>{image} <small>{words}</small></li>");
    }
    page.push_str("</ul>");
    if !all.images.keys.is_empty() {
        page.push_str("<h2>Keys on the sticks</h2><ul>");
        for key in &all.images.keys {
            let _ = write!(page, "<li>{}</li>", escaped(key));
        }
        page.push_str("</ul>");
    }
    if !all.problems.is_empty() {
        page.push_str("<h2>Problems on the sticks</h2><ul>");
        for problem in &all.problems {
            let _ = write!(page, "<li>{}</li>", escaped(&problem.to_string()));
        }
        page.push_str("</ul>");
    }
    page.push_str(&led_table(now));
    let _ = write!(
        page,
        "<p><small>pxeberry {}, holds {} KiB of memory. The servers run as {}</small>",
        status.version,
        status.memory_kib,
        status.confinement.words()
    );
    page
}

/// How far a machine's last network boot came, and what to check if it stopped.
fn last_boot(boot: &Boot) -> String {
    let mut html = format!(" <small>{}, {}</small>", boot.words, since(boot.ago));
    for sentence in boot.check.as_deref().into_iter().chain(boot.loader) {
        let _ = write!(html, "<br><b>It {}</b>", escaped(sentence));
    }
    html
}

/// How long ago that was, as exactly as anybody wants to know.
fn since(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        _ => format!("{} h ago", seconds / 3_600),
    }
}

/// What firmware does with our offers beside another DHCP server; nothing where we are alone.
fn boots(status: &Status) -> String {
    let mut html = String::new();
    for boot in &status.boots {
        let name = escaped(boot.name.as_deref().unwrap_or(""));
        let _ = write!(html, "<li>{name} <small>{}</small> {}</li>", boot.mac, boot.seen);
    }
    match html.as_str() {
        "" => html,
        _ => format!("<h2>Network boots beside the other DHCP server</h2><ul>{html}</ul>"),
    }
}

/// The README's table, with the line that holds now marked. It is folded away; who comes by
/// the link to its name finds it open, and open again each time that the page is renewed.
fn led_table(now: Option<&Entry>) -> String {
    let mut html = "<details><summary>What the LEDs say</summary><table id=leds><tr><th>State\
        <th>LEDs<th>Pattern<th>It means<th>Do</tr>"
        .to_owned();
    for entry in table() {
        let mark = if now == Some(entry) { " class=now" } else { "" };
        let (state, leds) = (entry.state.name(), entry.leds.names());
        let Entry { pattern, meaning, action, .. } = entry;
        let _ = write!(
            html,
            "<tr{mark}><td>{state}<td>{leds}<td>{pattern}<td>{meaning}<td>{action}</tr>"
        );
    }
    html + "</table></details>"
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
<meta name=viewport content=\"width=device-width\"><meta http-equiv=refresh content=5>\
<title>pxeberry</title><style>\
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;\
margin:2rem auto;padding:0 1rem}.state{font-size:1.3rem}table{border-collapse:collapse;width:100%}\
.now{font-weight:bold}th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8884}small{opacity:.7}\
</style>";

/// Names come from the stick.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::Confinement;
    use crate::control::machines::Counts;
    use crate::control::status::{Dhcp, Interface, Leds, Sticks};
    use crate::panel::pattern::State;

    fn page_when(conditions: &[State]) -> String {
        let status = Status {
            version: "1",
            headline: "Well.".to_owned(),
            conditions: conditions.to_vec(),
            leds: Leds { colours: Vec::new(), pattern: "", action: "" },
            revision: 0,
            memory_kib: 1,
            confinement: Confinement::default(),
            interface: Interface { name: "eth0".to_owned(), link: true, address: String::new() },
            dhcp: Dhcp { role: "server", reason: String::new() },
            media: Sticks { state: "ready", sticks: 1, images: 0, machines: 0, problems: 0 },
            counts: Counts::default(),
            boots: Vec::new(),
        };
        let images = Images { images: Vec::new(), keys: Vec::new() };
        render(&Now { status, images, machines: Vec::new(), problems: Vec::new() })
    }

    #[test]
    fn the_page_says_in_words_what_the_leds_show() {
        for entry in table() {
            // What matters less does not show.
            let page = page_when(&[State::Ready, entry.state]);
            let words = format!("<p>LEDs: {}, {}.", entry.leds.names(), entry.pattern);
            assert!(page.contains(&words), "{words}");
            let row = format!("<tr class=now><td>{}<td>", entry.state.name());
            assert!(page.contains(&row), "{row}");
            assert_eq!(page.matches("class=now").count(), 1, "{row}");
        }
    }

    #[test]
    fn times_are_told_as_exactly_as_anybody_wants_to_know() {
        for (seconds, words) in
            [(0, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago")]
        {
            assert_eq!(since(seconds), words);
        }
    }

    #[test]
    fn the_page_has_the_readmes_table_of_led_patterns_word_for_word() {
        let page = page_when(&[]);
        let (_, html) = page.split_once("<table id=leds>").unwrap();
        let (html, _) = html.split_once("</table></details>").unwrap();
        let rows = html.replace("</tr>", "\n").replace("<tr>", "|");
        let rows = rows.replace("|<th>", "| ").replace("|<td>", "| ");
        let rows = rows.replace("<th>", " | ").replace("<td>", " | ").replace('\n', " |\n");
        let readme = crate::panel::table::markdown().replace("|---|---|---|---|---|\n", "");
        assert_eq!(rows, readme);
    }
}
