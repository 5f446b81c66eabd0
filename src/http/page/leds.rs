//! The LEDs as they blink, drawn; and what all of them mean.

use std::fmt::Write;

use super::words::Safe;
use crate::panel::pattern::{Entry, Leds, table};

/// The three LEDs. They blink as those of the box do; what they say stands beside them.
pub fn board(shown: Option<&Entry>) -> String {
    let lit = shown.map_or(Leds::OFF, |entry| entry.leds);
    let name = shown.map_or("off", |entry| entry.state.name());
    let lens = |class: &str, lit: bool| match lit {
        true => format!("<span class=\"led {class} b-{name}\"><i></i></span>"),
        false => format!("<span class=\"led {class}\"></span>"),
    };
    format!(
        "<div class=board aria-hidden=true>{}{}{}</div>",
        lens("red", lit.red),
        lens("yel", lit.amber),
        lens("grn", lit.green)
    )
}

/// A class for each state, whose light goes on and off as the LEDs do.
pub fn rhythms() -> String {
    let mut css = String::new();
    for entry in table() {
        let (name, all) = (entry.state.name(), entry.period().as_millis().max(1));
        let _ = write!(css, ".b-{name} i{{animation:{name} {all}ms step-end infinite}}");
        let _ = write!(css, "@keyframes {name}{{");
        let mut at = 0;
        for (index, step) in entry.steps().iter().enumerate() {
            let place = at * 10_000 / all;
            let light = if index % 2 == 0 { 1 } else { 0 };
            let _ = write!(css, "{}.{:02}%{{opacity:{light}}}", place / 100, place % 100);
            at += u128::from(*step);
        }
        css.push('}');
    }
    css
}

/// The README's table, with the line that holds now marked.
pub fn led_table(now: Option<&Entry>) -> String {
    let mut html = "<details id=patterns><summary>What the LEDs say</summary><div class=scroll \
        tabindex=0 role=region aria-label=\"What the LEDs say\"><table id=leds>\
        <tr><th>State<th>LEDs<th>Pattern<th>It means<th>Do</tr>"
        .to_owned();
    for entry in table() {
        let mark = if now == Some(entry) { " class=now" } else { "" };
        let (state, leds) = (entry.state.name(), entry.leds.names());
        let Entry { pattern, meaning, action, .. } = entry;
        let (meaning, action) = (Safe(meaning), Safe(action));
        let _ = write!(
            html,
            "<tr{mark}><td>{state}<td>{leds}<td>{pattern}<td>{meaning}<td>{action}</tr>"
        );
    }
    html + "</table></div></details>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::pattern::State;

    fn entry(state: State) -> &'static Entry {
        table().iter().find(|entry| entry.state == state).unwrap()
    }

    #[test]
    fn the_drawn_leds_are_lit_when_those_of_the_box_are() {
        let html = board(Some(entry(State::Installing)));
        assert!(html.contains("led red\"></span>"), "{html}");
        assert_eq!(html.matches("b-installing\"><i></i>").count(), 2, "{html}");
        let css = rhythms();
        let winks = "@keyframes ready{0.00%{opacity:1}92.50%{opacity:0}}";
        assert!(css.contains(winks), "{css}");
        assert!(css.contains(".b-ready i{animation:ready 4000ms step-end infinite}"), "{css}");
    }

    #[test]
    fn the_page_has_the_readmes_table_of_led_patterns_word_for_word() {
        let page = led_table(None);
        let (_, html) = page.split_once("<table id=leds>").unwrap();
        let (html, _) = html.split_once("</table></div></details>").unwrap();
        let rows = html.replace("</tr>", "\n").replace("<tr>", "|");
        let rows = rows.replace("|<th>", "| ").replace("|<td>", "| ");
        let rows = rows.replace("<th>", " | ").replace("<td>", " | ").replace('\n', " |\n");
        let readme = crate::panel::table::markdown().replace("|---|---|---|---|---|\n", "");
        assert_eq!(rows, readme);
    }

    #[test]
    fn the_line_that_holds_now_is_marked() {
        for now in table() {
            let html = led_table(Some(now));
            let row = format!("<tr class=now><td>{}<td>", now.state.name());
            assert!(html.contains(&row), "{row}");
            assert_eq!(html.matches("class=now").count(), 1);
        }
    }
}
