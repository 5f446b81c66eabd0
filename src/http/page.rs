//! `/`: the appliance's state for people. Plain HTML, works in any browser.

use std::fmt::Write;

use crate::control::status::{Status, status};
use crate::world::World;

/// The page as it is now.
pub fn page(world: &World) -> String {
    render(&status(world))
}

fn render(status: &Status) -> String {
    let mut page = String::from(HEAD);
    // Writing into a String cannot fail.
    let _ = write!(
        page,
        "<h1>pxeberry</h1><p class=state>{}</p><p>{} · {}</p>",
        escaped(&status.headline),
        escaped(&status.interface.name),
        escaped(&status.interface.address)
    );
    page.push_str("<h2>Machines</h2><table><tr><th>Machine<th>Address<th>State</tr>");
    for machine in &status.machines {
        let _ = write!(
            page,
            "<tr><td>{} <small>{}</small><td>{}<td>{}</tr>",
            escaped(machine.name.as_deref().unwrap_or("")),
            machine.mac,
            machine.address.map_or_else(String::new, |address| address.to_string()),
            machine.state,
        );
    }
    page.push_str("</table><h2>Images</h2><ul>");
    for image in &status.media.names {
        let _ = write!(page, "<li>{}</li>", escaped(image));
    }
    page.push_str("</ul>");
    if !status.media.problems.is_empty() {
        page.push_str("<h2>Problems on the sticks</h2><ul>");
        for problem in &status.media.problems {
            let _ = write!(page, "<li>{}</li>", escaped(&problem.to_string()));
        }
        page.push_str("</ul>");
    }
    let _ = write!(
        page,
        "<p><small>pxeberry {}, holds {} KiB of memory</small>",
        status.version, status.memory_kib
    );
    page
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
<meta name=viewport content=\"width=device-width\"><meta http-equiv=refresh content=5>\
<title>pxeberry</title><style>\
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:48rem;\
margin:2rem auto;padding:0 1rem}.state{font-size:1.3rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #8884}small{opacity:.7}\
</style>";

/// Names come from the stick.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
