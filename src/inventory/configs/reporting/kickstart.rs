//! Kickstart: sections at the end. Anaconda runs all of a kind in their order, and those of
//! `%onerror` when one has failed.

use super::{Left, PAUSES, Reports, until_heard};

/// Older ones of Anaconda, in Enterprise Linux 7, know no `%onerror`.
const FIRST_WITH_ONERROR: u64 = 8;

/// With a report as the last script.
pub fn add(text: &str, reports: &Reports) -> Result<String, Left> {
    let mut text = text.to_owned();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    if reports.busybox {
        return Ok(text + &esxi(&reports.installed));
    }
    sections_are_closed(&text)?;
    text += &section("%post --nochroot", &reports.installed);
    if reports.release.is_none_or(|release| release >= FIRST_WITH_ONERROR) {
        text += &section("%onerror", &reports.failed);
    }
    Ok(text)
}

fn section(head: &str, url: &str) -> String {
    format!("\n# Added: the end is reported.\n{head}\n{}\n%end\n", until_heard(url))
}

/// Sections end at the next one there. The limit is for a server that takes the connection and
/// says nothing: its wget may know none.
fn esxi(url: &str) -> String {
    format!(
        "\n%post --interpreter=busybox --ignorefailure=true --timeout=300\nfor pause in {PAUSES}; do\n    \
         wget -q -O /dev/null '{url}' && break\n    sleep $pause\ndone\n"
    )
}

/// Lines that begin like this are no content of a script.
const SECTIONS: [&str; 9] = [
    "%packages",
    "%pre",
    "%pre-install",
    "%post",
    "%onerror",
    "%traceback",
    "%addon",
    "%anaconda",
    "%certificate",
];

/// Whether a section that is added is one of its own.
fn sections_are_closed(text: &str) -> Result<(), Left> {
    let mut open = false;
    for line in text.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            _ if !word.starts_with('%') => {}
            "%include" | "%ksappend" => {}
            // Not every Anaconda takes that for an end, or for a beginning.
            "%end" if open && line.starts_with('%') => open = false,
            "%end" => return Err("an %end stands where no section begins"),
            _ if !open => open = true,
            _ if SECTIONS.contains(&word) => return Err("a section has no %end"),
            _ => {}
        }
    }
    if open { Err("a section has no %end") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{INSTALLED, reports, runs, tells};
    use super::*;

    /// The last section with this head.
    fn body<'a>(text: &'a str, head: &str) -> &'a str {
        let (_, behind) = text.rsplit_once(&format!("\n{head}\n")).unwrap();
        behind.split("\n%end").next().unwrap()
    }

    #[test]
    fn a_report_is_the_last_script_and_another_one_that_of_a_failure() {
        for text in [
            "text\nreboot\n",
            "text\r\n%packages\r\n@core\r\n%end\r\n",
            "text\n%post\n%foo is no section\n  # %end\n%end\n%include /tmp/x",
            "  %post --log=/x\ntrue\n%end\n# %post\n%ksappend http://x/y",
        ] {
            let added = add(text, &reports()).unwrap();
            assert!(added.starts_with(text), "{added}");
            let own = added.strip_prefix(text).unwrap();
            assert_eq!(own.matches("\n%").count(), 4, "{own}");
            assert!(added.contains("\n\n# Added") || added.contains("\r\n\n# Added"), "{added}");
            for (head, event) in [("%post --nochroot", "installed"), ("%onerror", "failed")] {
                let ran = runs("sh", body(&added, head));
                assert_eq!((ran.code, ran.told), (0, tells(event)), "{head}");
            }
        }
    }

    #[test]
    fn what_could_swallow_it_is_left_as_it_is() {
        for text in [
            "%post\ntrue\n",
            "%packages\n@core\n%post\ntrue\n%end\n",
            "text\n%end\n",
            "%post\ntrue\n %end\n",
            "%post\ncat <<X\n%packages\nX\n%end\n",
        ] {
            assert!(add(text, &reports()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_anaconda_that_knows_no_onerror_gets_none() {
        for (release, has) in [(Some(7), false), (Some(8), true), (Some(43), true), (None, true)] {
            let added = add("text\n", &Reports { release, ..reports() }).unwrap();
            assert_eq!(added.contains("%onerror"), has, "{release:?}");
            assert!(added.contains(INSTALLED));
        }
    }

    #[test]
    fn esxis_busybox_reports_in_its_own_way() {
        let text = "vmaccepteula\ninstall --firstdisk\n%firstboot --interpreter=busybox\ntrue";
        let added = add(text, &Reports { busybox: true, ..reports() }).unwrap();
        let own = added.strip_prefix(text).unwrap();
        assert!(
            own.starts_with("\n\n%post --interpreter=busybox --ignorefailure=true --timeout=300\n"),
            "{own}"
        );
        assert!(!own.contains("curl") && !own.contains("%end") && !own.contains("%onerror"));
        let ran = runs("sh", own.split_once("=300\n").unwrap().1);
        assert_eq!(ran.told, tells("installed"));
    }
}
