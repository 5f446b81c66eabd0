use super::*;

fn mac(number: usize) -> Mac {
    let [.., high, low] = number.to_be_bytes();
    Mac::new([2, 0, 0, 1, high, low]).unwrap()
}

fn info<'a>(source: Source, kind: &'a str, detail: &'a str) -> Note<'a> {
    Note { source, weight: Weight::Info, kind, detail }
}

fn words(lines: &Timelines, card: usize) -> Vec<String> {
    lines.of(&[mac(card)]).into_iter().map(|entry| entry.words).collect()
}

#[test]
fn what_happened_is_told_in_its_order_and_over_all_cards() {
    let mut lines = Timelines::default();
    lines.note(mac(0), &info(Source::Dhcp, "asks", ""), 1);
    lines.note(mac(1), &info(Source::Tftp, "takes", ""), 1);
    lines.note(mac(0), &info(Source::Http, "misses", ""), 1);
    let words: Vec<_> = lines.of(&[mac(0), mac(1)]).into_iter().map(|e| e.words).collect();
    assert_eq!(words, ["asks", "takes", "misses"]);
    assert!(lines.of(&[mac(2)]).is_empty());
}

#[test]
fn a_peer_that_repeats_itself_pushes_nothing_out() {
    let mut lines = Timelines::default();
    lines.note(mac(0), &info(Source::Life, "armed", ""), 1);
    for second in 0..10_000 {
        lines.note(mac(0), &info(Source::Dhcp, "asks", ""), second);
        lines.note(mac(0), &info(Source::Tftp, "takes a", ""), second);
        lines.note(mac(0), &info(Source::Tftp, "takes b", ""), second);
    }
    let all = lines.of(&[mac(0)]);
    assert_eq!(words(&lines, 0), ["armed", "asks", "takes a", "takes b"]);
    assert_eq!(all.last().map(|entry| (entry.at, entry.times)), Some((9_999, 10_000)));
}

#[test]
fn many_files_of_one_folder_are_one_entry_with_the_last_of_them() {
    let mut lines = Timelines::default();
    for file in 0..300 {
        lines.note(mac(0), &info(Source::Http, "takes files of x.iso, ", &file.to_string()), file);
    }
    lines.note(mac(0), &info(Source::Http, "takes files of y.iso, ", "1"), 300);
    assert_eq!(words(&lines, 0), ["takes files of x.iso, 299", "takes files of y.iso, 1"]);
}

#[test]
fn an_installers_own_lines_push_out_their_like_and_errors_last() {
    let mut lines = Timelines::default();
    lines.note(mac(0), &info(Source::Dhcp, "asks", ""), 0);
    let failed = Note { weight: Weight::Error, ..info(Source::Syslog, "partman failed", "") };
    lines.note(mac(0), &failed, 1);
    for line in 0..1_000 {
        lines.note(mac(0), &info(Source::Syslog, "line ", ""), line);
        lines.note(mac(0), &info(Source::Syslog, &line.to_string(), ""), line);
    }
    let words = words(&lines, 0);
    assert_eq!(words.len(), 1 + MOST_SYSLOG);
    assert_eq!(words[..2], ["asks", "partman failed"]);
    assert_eq!(words.last().map(String::as_str), Some("999"));
}

#[test]
fn strangers_and_talkers_do_not_grow_it_and_who_says_little_keeps_it() {
    let mut lines = Timelines::default();
    lines.note(mac(1_000), &info(Source::Dhcp, "quiet", ""), 0);
    for number in 0..500 {
        for step in 0..40 {
            lines.note(mac(number), &info(Source::Dhcp, &step.to_string(), ""), step);
        }
    }
    assert_eq!(lines.slots.used(), MOST_IN_ALL);
    assert_eq!(words(&lines, 1_000), ["quiet"]);
    for number in 0..20_000 {
        lines.note(mac(number), &info(Source::Dhcp, "asks", ""), 50);
    }
    assert!(lines.of.len() <= MOST_MACHINES);
    let counted: usize = lines.of.values().map(VecDeque::len).sum();
    assert_eq!(lines.slots.used(), counted);
    for step in 0..1_000 {
        lines.note(mac(0), &info(Source::Http, &step.to_string(), ""), 60);
    }
    assert_eq!(lines.of(&[mac(0)]).len(), MOST_ENTRIES);
}

#[test]
fn every_entry_has_a_place_of_its_own_in_the_record() {
    let mut lines = Timelines::default();
    let mut rows = HashMap::new();
    for step in 0..60_000_usize {
        let row = lines.note(mac(step % 700), &info(Source::Http, &step.to_string(), ""), 0);
        rows.insert(row.slot, row);
    }
    assert!(rows.keys().all(|slot| (*slot as usize) < MOST_IN_ALL));
    for (mac, line) in &lines.of {
        for kept in line {
            let row = &rows[&kept.slot];
            assert_eq!((row.mac, &row.entry, row.number), (*mac, &kept.entry, kept.number));
        }
    }
}

#[test]
fn words_of_peers_cannot_break_a_line_or_fill_the_memory() {
    assert_eq!(shown("a\nb\u{1b}[1m"), "a b [1m");
    assert_eq!(shown("a\u{202e}b\u{feff}"), "a b ", "nor turn it round");
    let long = shown(&"ö".repeat(10_000));
    assert!(long.len() <= LONGEST_WORDS + '…'.len_utf8() && long.ends_with('…'));
}

#[test]
fn who_was_heard_of_is_known_with_the_time_of_the_last_entry() {
    let mut lines = Timelines::default();
    for (number, now) in [(0, 1), (1, 2), (0, 3)] {
        lines.note(mac(number), &info(Source::Dhcp, "asks", ""), now);
    }
    let mut last = lines.last_of_each();
    last.sort();
    assert_eq!(last, [(mac(0), 3), (mac(1), 2)]);
}

#[test]
fn strangers_push_strangers_out_and_no_machine_of_the_sticks() {
    let mut lines = Timelines::default();
    lines.note(mac(0), &info(Source::Life, "failed", ""), 1);
    for number in 1..MOST_MACHINES + 500 {
        lines.make_room_for(mac(number), |other| other == mac(0));
        lines.note(mac(number), &info(Source::Dhcp, "asks", ""), 2);
    }
    assert_eq!(lines.of(&[mac(0)]).len(), 1);
    assert_eq!(lines.of.len(), MOST_MACHINES);
}
