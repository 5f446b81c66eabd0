//! As much of JSON Schema as `openapi.json` uses; what it uses besides fails the test.

use serde_json::{Map, Value};

/// What of `value` does not fit `schema`; `whole` is where references lead to.
pub fn misfits(whole: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = schema.as_object().unwrap_or_else(|| panic!("{at}: no schema: {schema}"));
    let mut found = Vec::new();
    for (keyword, rule) in schema {
        found.extend(match keyword.as_str() {
            "$ref" => {
                let place = rule.as_str().unwrap().trim_start_matches('#');
                misfits(whole, whole.pointer(place).expect(place), value, at)
            }
            "anyOf" => {
                let tried: Vec<Vec<String>> = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| misfits(whole, one, value, at))
                    .collect();
                if tried.iter().any(Vec::is_empty) { Vec::new() } else { tried.concat() }
            }
            "type" => wrong(at, is_of(rule, value), &format!("{value} is no {rule}")),
            "enum" => wrong(at, rule.as_array().unwrap().contains(value), &format!("{value}?")),
            "const" => wrong(at, rule == value, &format!("{value} is not {rule}")),
            "minimum" => wrong(at, value.is_null() || value.as_f64() >= rule.as_f64(), "too small"),
            "maximum" => wrong(at, value.is_null() || value.as_f64() <= rule.as_f64(), "too large"),
            "required" => missing(rule, value, at),
            "properties" => properties(whole, rule.as_object().unwrap(), value, at),
            "additionalProperties" => {
                assert_eq!(rule, &Value::Bool(false), "{at}");
                undescribed(schema, value, at)
            }
            "items" => items(whole, rule, value, at),
            "description" | "examples" | "format" | "pattern" => Vec::new(),
            other => panic!("{at}: the keyword {other} is not known to this test"),
        });
    }
    found
}

fn wrong(at: &str, fits: bool, words: &str) -> Vec<String> {
    if fits { Vec::new() } else { vec![format!("{at}: {words}")] }
}

fn is_of(rule: &Value, value: &Value) -> bool {
    match rule.as_str() {
        None => rule.as_array().unwrap().iter().any(|one| is_of(one, value)),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(other) => panic!("the type {other} is not known to this test"),
    }
}

fn missing(rule: &Value, value: &Value, at: &str) -> Vec<String> {
    let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let missing = names.filter(|name| value.get(name).is_none());
    missing.map(|name| format!("{at}: {name} is missing")).collect()
}

fn properties(whole: &Value, rules: &Map<String, Value>, value: &Value, at: &str) -> Vec<String> {
    let there = rules.iter().filter_map(|(name, rule)| Some((name, rule, value.get(name)?)));
    there
        .flat_map(|(name, rule, value)| misfits(whole, rule, value, &format!("{at}.{name}")))
        .collect()
}

fn undescribed(schema: &Map<String, Value>, value: &Value, at: &str) -> Vec<String> {
    let known = schema["properties"].as_object().unwrap();
    let names = value.as_object().into_iter().flat_map(Map::keys);
    let unknown = names.filter(|name| !known.contains_key(*name));
    unknown.map(|name| format!("{at}: {name} is not described")).collect()
}

fn items(whole: &Value, rule: &Value, value: &Value, at: &str) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.flat_map(|item| misfits(whole, rule, item, &format!("{at}[]"))).collect()
}
