//! What `board/*.toml` says about the board that this is: the same files that the image is
//! built from. Pure.

use serde::Deserialize;

/// What the panel needs to know of a board.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Model {
    /// How `/proc/device-tree/model` begins.
    name: String,
    /// The label of the GPIO chip behind the pin header, whose lines are numbered as the pins.
    pub gpio_chip: String,
    /// Its folder in `/sys/class/leds`; empty: there is none.
    pub act_led: String,
}

/// `board/*.toml`
const FILES: [&str; 7] = [
    include_str!("../../board/pi-3b.toml"),
    include_str!("../../board/pi-3b-plus.toml"),
    include_str!("../../board/pi-400.toml"),
    include_str!("../../board/pi-4b.toml"),
    include_str!("../../board/pi-5.toml"),
    include_str!("../../board/pi-cm4.toml"),
    include_str!("../../board/pi-zero-2-w.toml"),
];

/// The boards that this board may be: the one of that name, else all.
pub fn candidates(device_tree_model: &str) -> Vec<Model> {
    let mut models: Vec<Model> =
        FILES.iter().filter_map(|text| toml::from_str(text).ok()).collect();
    let fits = |model: &&Model| device_tree_model.starts_with(&model.name);
    // "Raspberry Pi 3 Model B" begins "Raspberry Pi 3 Model B Plus", too.
    match models.iter().filter(fits).max_by_key(|model| model.name.len()) {
        Some(own) => vec![own.clone()],
        None => {
            models.sort_by(|a, b| a.name.cmp(&b.name));
            models
        }
    }
}

/// The different ones of `what`, in order.
pub fn different(models: &[Model], what: impl Fn(&Model) -> &str) -> Vec<&str> {
    let mut found = Vec::new();
    for text in models.iter().map(what).filter(|text| !text.is_empty()) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_board_folder_is_read_by_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/board");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_model = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("pi-") && name.ends_with(".toml")
        };
        let texts: Vec<String> =
            names.filter(is_model).map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts.len(), FILES.len());
        assert!(texts.iter().all(|text| FILES.contains(&text.as_str())));
        assert_eq!(candidates("").len(), FILES.len());
    }

    #[test]
    fn a_board_is_known_by_the_longest_name_that_fits() {
        let chip = |model: &str| different(&candidates(model), |m| &m.gpio_chip).join(" ");
        assert_eq!(candidates("Raspberry Pi 3 Model B Plus Rev 1.3")[0].name.len(), 27);
        assert_eq!(candidates("Raspberry Pi 3 Model B Rev 1.2")[0].name.len(), 22);
        assert_eq!(chip("Raspberry Pi 3 Model B Rev 1.2"), "pinctrl-bcm2835");
        assert_eq!(chip("Raspberry Pi 4 Model B Rev 1.5"), "pinctrl-bcm2711");
        assert_eq!(chip("Raspberry Pi 5 Model B Rev 1.0"), "pinctrl-rp1");
        assert_eq!(chip("linux,dummy-virt"), "pinctrl-bcm2835 pinctrl-bcm2711 pinctrl-rp1");
        assert_eq!(candidates("Raspberry Pi 400 Rev 1.0")[0].act_led, "PWR");
    }
}
