//! What is around every page: its head, who is signed in, and its end.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::leds;
use super::words::Safe;

/// Who looks, and what he is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Visitor {
    /// The number for his forms; none: he is not signed in.
    pub form: Option<String>,
    /// Whether anybody can sign in: there is a password.
    pub possible: bool,
    /// What became of what he did.
    pub said: Option<Said>,
    /// His script has style and script already.
    pub part: bool,
}

/// What a person is told after a click.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// Whether it worked.
    pub good: bool,
    /// In one sentence.
    pub words: String,
}

/// What is in the frame.
pub struct Frame<'a> {
    /// Before the product's name.
    pub title: &'a str,
    /// HTML.
    pub main: String,
    /// The number of the state that it shows; none: it does not change.
    pub revision: Option<u64>,
    /// Whether something moves on it all the time.
    pub busy: bool,
}

/// The whole page.
pub fn frame(of: Frame, visitor: &Visitor) -> String {
    let Frame { title, main, revision, busy } = of;
    let title = Safe(title);
    let (style, refresh, script) = match visitor.part {
        true => (String::new(), "", String::new()),
        false => (
            format!("<style>{}</style>", style()),
            // Without a script.
            if revision.is_some() {
                "<noscript><meta http-equiv=refresh content=20></noscript>"
            } else {
                ""
            },
            format!("<script>{SCRIPT}</script>"),
        ),
    };
    let data = match (revision, busy) {
        (None, _) => String::new(),
        (Some(revision), false) => format!(" data-revision={revision}"),
        (Some(revision), true) => format!(" data-revision={revision} data-busy=1"),
    };
    let said = said(visitor);
    let nav = nav(visitor);
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <title>{title} · pxeberry</title><link rel=icon href=\"{ICON}\">{refresh}{style}</head>\
         <body><a class=skip href=#main>To the content</a>\
         <header><div class=wrap><a class=brand href=/>{LOGO}pxeberry</a>{nav}</div></header>\
         <div id=away class=away-bar role=status hidden></div>{said}\
         <main id=main class=wrap tabindex=-1{data}>{main}</main>{script}</body></html>"
    )
}

fn said(visitor: &Visitor) -> String {
    match &visitor.said {
        None => "<div id=said class=said role=status hidden></div>".to_owned(),
        Some(said) => {
            let class = if said.good { "said" } else { "said bad" };
            format!("<div id=said class=\"{class}\" role=status>{}</div>", Safe(&said.words))
        }
    }
}

fn nav(visitor: &Visitor) -> String {
    let inside = match &visitor.form {
        Some(form) => format!(
            "<form method=post action=/logout data-whole=1><input type=hidden name=token \
             value={form}><button class=link>Sign out</button></form>"
        ),
        None if visitor.possible => "<a href=/login>Sign in</a>".to_owned(),
        None => String::new(),
    };
    format!("<nav id=nav aria-label=Account>{inside}</nav>")
}

/// What a browser may do with our pages: run our own script and style, talk to us, and no more.
pub fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; \
             connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            hash(SCRIPT),
            hash(style())
        )
    })
}

fn style() -> &'static str {
    static ALL: OnceLock<String> = OnceLock::new();
    ALL.get_or_init(|| STYLE.replace('\n', "") + &leds::rhythms())
}

const STYLE: &str = include_str!("style.css");

const SCRIPT: &str = include_str!("script.js");

/// A berry of five round parts, with a leaf.
const LOGO: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=true><path fill=#3d8b52 \
d=\"M12 7C9 7 7.500 5 7.500 2.500 10.500 2.500 12 4.500 12 7c0-2.500 1.500-4.500 4.500-4.500C16.500 5 15 7 12 7z\"/>\
<g fill=#b3245f><circle cx=7.500 cy=11 r=3.600 /><circle cx=16.500 cy=11 r=3.600 />\
<circle cx=12 cy=10.500 r=3.800 /><circle cx=9.200 cy=16 r=3.600 /><circle cx=14.800 cy=16 r=3.600 />\
<circle cx=12 cy=19.500 r=3 /></g><g fill=#fff opacity=.35><circle cx=10.900 cy=9.300 r=.9 />\
<circle cx=6.600 cy=10 r=.8 /><circle cx=8.400 cy=14.900 r=.8 /></g></svg>";

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E\
%3Cpath fill='%233d8b52' d='M12 7C9 7 7 5 7 2c4 0 5 2 5 5 0-3 1-5 5-5 0 3-2 5-5 5z'/%3E%3Cg fill='%23b3245f'%3E\
%3Ccircle cx='8' cy='12' r='5'/%3E%3Ccircle cx='16' cy='12' r='5'/%3E%3Ccircle cx='12' cy='17' r='6'/%3E%3C/g%3E%3C/svg%3E";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_and_script_are_small_and_a_part_has_none() {
        let page = |part| {
            let of = Frame { title: "x", main: String::new(), revision: Some(1), busy: false };
            frame(of, &Visitor { part, ..Visitor::default() })
        };
        assert!(page(false).len() < 24 * 1024, "{}", page(false).len());
        assert!(page(true).len() < 3 * 1024, "{}", page(true).len());
        assert!(!page(true).contains("<style") && !page(true).contains("<script"));
        assert!(policy().starts_with("default-src 'none'; script-src 'sha256-"));
        assert!(!SCRIPT.contains("</"), "it would end there");
    }
}
