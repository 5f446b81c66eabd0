//! The README says what the code does.
#![allow(clippy::panic, clippy::unwrap_used)]

use pxeberry::{config, panel};

const README: &str = include_str!("../README.md");

#[test]
fn the_table_of_led_patterns_is_the_codes_own() {
    let table = panel::pattern::table().len();
    assert!(table > 0);
    let expected = panel::table::markdown();
    assert!(README.contains(&expected), "put this table into README.md:\n\n{expected}");
}

#[test]
fn every_setting_in_the_readme_is_accepted_and_is_the_default() {
    let block = README
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains("[server]"));
    let block = block.unwrap_or_else(|| panic!("README.md shows no pxeberry.toml"));
    // Keys without a default value stand there as comments.
    assert_eq!(config::parse(block).unwrap(), config::parse("").unwrap());
}

#[test]
fn the_sample_on_the_card_names_only_keys_that_exist() {
    let sample = include_str!("../board/pxeberry.toml");
    let uncommented = sample.lines().map(|line| line.trim_start_matches('#').trim());
    let is_setting = |line: &&str| line.contains(" = ") || line.starts_with('[');
    let active: Vec<&str> = uncommented.filter(is_setting).collect();
    assert!(active.len() > 10, "the sample shows the settings");
    config::parse(&active.join("\n")).unwrap();
}

#[test]
fn the_machines_in_the_readme_are_understood() {
    let blocks = README.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.into_iter().find(|block| block.contains("[[machine]]"));
    let block = block.unwrap_or_else(|| panic!("README.md shows no machines.toml"));
    let roster = pxeberry::inventory::machine::parse("machines.toml", block).unwrap();
    assert!(!roster.list().is_empty());
}
