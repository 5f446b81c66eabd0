use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::*;
use crate::inventory::Machine;
use crate::inventory::configs::Setting;
use crate::inventory::machine::Disk;
use crate::inventory::machine::DiskRule;

fn facts(machine: &Machine) -> Facts {
    let setting = Setting {
        server: "http://10.10.10.1:8080",
        ip: Ipv4Addr::new(10, 10, 10, 20),
        token: "abc",
        add_report: true,
    };
    Facts::new("52:54:00:00:00:01".parse().unwrap(), machine, None, setting)
}

fn node_1() -> Machine {
    let mut machine = Machine::known_by("52:54:00:00:00:01".parse().unwrap());
    machine.name = Some("node-1".to_owned());
    machine.labels.insert("role".to_owned(), "it's a <web> \"server\"".to_owned());
    machine
}

fn rendered(source: &str) -> Result<String, Fault> {
    Template::new(source)?.render(&facts(&node_1()))
}

fn message(source: &str) -> String {
    let fault = rendered(source).unwrap_err();
    format!("{}: {}", fault.line.unwrap_or_default(), fault.message)
}

#[test]
fn a_template_says_of_the_machine_what_is_known() {
    let source = "{{ name }} {{ hostname }} {{ mac }} {{ macs|join(',') }} {{ ip }} {{ disk }} \
                  {{ server }} {{ report_installed }}\n";
    let expected = "node-1 node-1 52:54:00:00:00:01 52:54:00:00:00:01 10.10.10.20 /dev/sda \
                    http://10.10.10.1:8080 \
                    http://10.10.10.1:8080/v1/event?token=abc&event=installed\n";
    assert_eq!(rendered(source).unwrap(), expected);
    let unnamed = Machine::known_by("52:54:00:00:00:01".parse().unwrap());
    let text = Template::new("{{ hostname }}").unwrap().render(&facts(&unnamed)).unwrap();
    assert_eq!(text, "52-54-00-00-00-01");
}

#[test]
fn labels_are_quoted_for_the_place_where_they_stand() {
    for (source, expected) in [
        ("{{ labels.role }}", "it's a <web> \"server\""),
        ("{{ labels.role|quote }}", r#"'it'\''s a <web> "server"'"#),
        ("{{ labels.role|tojson }}", r#""it's a <web> \"server\"""#),
        ("{{ labels.role|xml }}", "it&#39;s a &lt;web&gt; &#34;server&#34;"),
        ("{{ name|b64encode }}", "bm9kZS0x"),
        ("{{ 'ab'|b64encode }}{{ 'a'|b64encode }}{{ ''|b64encode }}", "YWI=YQ=="),
        ("{{ labels.rack|default('none') }}", "none"),
        ("{% if labels.rack is defined %}x{% endif %}", ""),
        ("{% for p in ['a', 'b'] %}{{ loop.index + 10 }}{{ p }} {% endfor %}", "11a 12b "),
        ("{% set x = name ~ '!' %}{{ x|upper }}", "NODE-1!"),
        ("{% set x %}{{ name }}{% endset %}{{ x }}", "node-1"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ] {
        assert_eq!(rendered(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_disk_that_is_looked_for_is_found_by_a_shell_function() {
    let mut machine = node_1();
    machine.disk = Disk::Rule(DiskRule { serial: "S5*".to_owned(), ..DiskRule::default() });
    let render = |source: &str| Template::new(source).unwrap().render(&facts(&machine));
    assert!(render("{{ find_disk }}").unwrap().contains("find_disk() {"));
    assert_eq!(render("{{ disk_rule.serial }}").unwrap(), "S5*");
    assert!(render("{{ disk }}").unwrap_err().message.contains("does not have"));
}

#[test]
fn a_mistake_is_named_with_its_line() {
    for (source, expected) in [
        ("a\n{{ nam }}", "2: uses something that this machine does not have"),
        ("a\n\n{{ labels.rack }}", "3: uses something that this machine does not have"),
        ("a\n{% if %}", "2: syntax error"),
        ("{{ name", "1: syntax error"),
        ("\n{{ name|shuffle }}", "2: templates here have no filter shuffle"),
    ] {
        assert!(message(source).starts_with(expected), "{source}: {}", message(source));
    }
}

#[test]
fn no_template_reads_a_file() {
    for source in [
        "{% include '/etc/passwd' %}",
        "{% include 'default.yml' %}",
        "{% extends '../../etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% from 'x' import y %}",
        "{{ open('/etc/passwd') }}",
        "{{ lookup('file', '/etc/passwd') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ debug() }}",
        "{% macro f() %}{% endmacro %}",
    ] {
        assert!(rendered(source).is_err(), "{source}");
    }
}

/// Each of these would be endless, or as large as the memory.
fn abuse() -> Vec<String> {
    let doubled = |first: &str, step: &str, last: &str| {
        format!("{{% set x = {first} %}}{}{last}", step.repeat(60))
    };
    vec![
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}".into(),
        "{{ range(999999999999) }}".into(),
        "{{ 'a' * 999999999 }}".into(),
        "{{ 9 ** 9 ** 9 }}".into(),
        "{{ 'a\nb'|indent(99999999999) }}".into(),
        "{{ '%999999999d'|format(1) }}".into(),
        "{{ [1]|slice(9999999999) }}".into(),
        doubled("'aaaa'", "{% set x = x ~ x %}", "{{ x }}"),
        doubled("'aaaa'", "{% set x = x + x %}", "{{ x }}"),
        doubled("'aaaa'", "{% set x = x|replace('a', 'aa') %}", "{{ x }}"),
        doubled("'aaaa'", "{% set x %}{{ x }}{{ x }}{% endset %}", "{{ x }}"),
        doubled("['a']", "{% set x = [x, x] %}", "{{ x }}"),
        doubled("['a']", "{% set x = [x, x] %}", "{{ x|tojson }}"),
        doubled("['a']", "{% set x = [x, x] %}", "{% if x == x %}{% endif %}"),
        doubled("['a']", "{% set x = x + x %}", "{{ x|length }}"),
        doubled("('a',)", "{% set x = (x, x) %}", "{{ x }}"),
        doubled("{'a': 1}", "{% set x = {'a': x, 'b': x} %}", "{{ x }}"),
        doubled("['a']", "{% set x = [1, 1]|map('default', x, true) %}", "{{ x }}"),
        doubled("['a']", "{% set x = macs|batch(3, x) %}", "{{ x }}"),
        doubled("['a']", "{% set x = [1, 1]|sum(start=x) %}", "{{ x }}"),
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}".into(),
        format!("{{{{ 1{} }}}}", " ~ 1".repeat(60_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(200_000)),
        format!("{{{{ name{} }}}}", "|abs".repeat(50_000)),
        format!("{{{{ name{} }}}}", ".a".repeat(100_000)),
        format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(20_000)),
        "{% if 1 %}".repeat(20_000),
        "{{ (".repeat(80_000),
        "x".repeat(LARGEST_SOURCE + 1),
    ]
}

#[test]
fn nothing_takes_long_or_grows_without_end() {
    for source in abuse() {
        let shown: String = source.chars().take(80).collect();
        let began = Instant::now();
        assert!(rendered(&source).is_err(), "{shown}");
        // Ten times what the slowest takes here without optimization.
        assert!(began.elapsed() < Duration::from_secs(2), "{shown}: {:?}", began.elapsed());
    }
}

#[test]
fn a_large_config_of_a_person_fits() {
    let line = "  - {{ name }}: {{ labels.role|tojson }}\n";
    let source = format!("{{% for i in range(100) %}}{}{{% endfor %}}", line.repeat(10));
    let text = rendered(&source).unwrap();
    assert_eq!(text.lines().count(), 1000);
    assert!(rendered(&"# a comment, as people write them\n".repeat(4000)).is_ok());
}
