//! One way to start an image: a kernel, and what belongs to it. Pure.

use std::sync::Arc;

use super::Files;
use super::place::Place;
use super::told::Told;
use super::words::arguments;
use crate::inventory::iso::is_iso;
use crate::inventory::pattern::{Captures, Pattern};
use crate::inventory::profile::{Layout, Profile, Reports};
use crate::inventory::{MediaFile, Start, Version};

/// A profile's layout that has its kernel in some place.
pub struct Candidate<'a> {
    pub profile: &'a Arc<Profile>,
    pub place: Place<'a>,
    layout: &'a Layout,
    kernel: &'a MediaFile,
    captures: Captures<'a>,
    told: Told,
    missing: Vec<String>,
    is_own: bool,
}

impl<'a> Candidate<'a> {
    pub fn new(
        files: &Files<'a>,
        kernel: &'a MediaFile,
        profile: &'a Arc<Profile>,
        layout: &'a Layout,
        place: Place<'a>,
        captures: Captures<'a>,
        is_own: bool,
    ) -> Candidate<'a> {
        let told = Told::of(files, profile, &place, &captures);
        let mut candidate = Candidate {
            profile,
            place,
            layout,
            kernel,
            captures,
            told,
            missing: Vec::new(),
            is_own,
        };
        candidate.missing = candidate.missing(files);
        candidate
    }

    /// What speaks for it, the most telling first.
    pub fn weight(&self) -> (bool, bool, u8, bool, usize) {
        let names = std::iter::once(&self.layout.kernel).chain(self.layout.required());
        let told = names.map(Pattern::weight).sum();
        let (general, evidence) = (self.profile.general, self.told.evidence);
        (!general, self.is_own, evidence, self.missing.is_empty(), told)
    }

    /// Whether a person should hear that it could have been this one as well.
    pub fn rivals(&self, best: &Candidate) -> bool {
        self.profile.name != best.profile.name
            && self.profile.layout != best.profile.layout
            && !self.profile.general
            && self.missing.is_empty()
            && self.told.evidence >= best.told.evidence
    }

    pub fn version(&self) -> Option<Version> {
        self.told.version.clone()
    }

    /// What is to be remembered of it; else the file that keeps it from being started.
    pub fn start(&self, files: &Files<'a>) -> Result<Start, (String, String)> {
        let Layout { initrds, optional_initrds, args_file, rewrite, .. } = self.layout;
        let path = |file: &MediaFile| self.inside(&file.path).to_owned();
        let optional = optional_initrds.iter().filter_map(|name| self.find_around(files, name));
        let names = initrds.iter().filter_map(|name| self.find(files, name)).chain(optional);
        let text = |name: &Pattern| {
            let file = self.find(files, name)?;
            Some((path(file), files.text(file)?.to_owned()))
        };
        let named = self.layout.files.iter().filter_map(|(name, pattern)| {
            Some((name.clone(), path(self.find_around(files, pattern)?)))
        });
        let args = match args_file.as_ref().and_then(|name| self.find(files, name)) {
            Some(file) => arguments(files.text(file).unwrap_or_default())
                .map_err(|message| (file.path.clone(), message))?,
            None => Vec::new(),
        };
        let start = Start {
            cpu: self.told.cpu.or(self.layout.arch).unwrap_or(self.profile.arch),
            layout: self.layout_index(),
            root: self.place.root.to_owned(),
            base: self.inside(self.place.base).to_owned(),
            kernel: path(self.kernel),
            initrds: names.map(path).collect(),
            files: named.collect(),
            iso: self
                .iso(files)
                .map(path)
                .or_else(|| Some(self.inside(self.place.iso?).to_owned())),
            args,
            rewrite: rewrite.as_ref().and_then(|rewrite| text(&rewrite.file)),
            missing: self.missing.clone(),
        };
        let started = std::iter::once(&start.kernel).chain(&start.initrds);
        match started.into_iter().find(|path| !is_plain(path)) {
            Some(path) => Err((self.under_root(path), RENAME.to_owned())),
            None => Ok(start),
        }
    }

    /// The same of a folder that holds what is written to the disk, but no kernel.
    pub fn start_without_kernel(&self, files: &Files<'a>) -> Result<Start, (String, String)> {
        let kernel = self.layout.kernel.as_str().to_owned();
        let mut start = self.start(files)?;
        start.missing.insert(0, kernel.clone());
        Ok(Start { kernel, ..start })
    }

    fn layout_index(&self) -> usize {
        let layouts = self.profile.layout.iter();
        layouts.take_while(|layout| !std::ptr::eq(*layout, self.layout)).count()
    }

    /// The path from the image's folder.
    fn inside<'p>(&self, path: &'p str) -> &'p str {
        let rest = path.get(self.place.root.len()..).unwrap_or_default();
        rest.strip_prefix('/').unwrap_or(rest)
    }

    fn under_root(&self, path: &str) -> String {
        match self.place.root {
            "" => path.to_owned(),
            root => format!("{root}/{path}"),
        }
    }

    /// A file that the layout names, where the layout begins.
    fn find(&self, files: &Files<'a>, name: &Pattern) -> Option<&'a MediaFile> {
        self.find_in(files, self.place.base, name)
    }

    /// The same, else in the image's folder: people lay things beside.
    fn find_around(&self, files: &Files<'a>, name: &Pattern) -> Option<&'a MediaFile> {
        self.find(files, name).or_else(|| self.find_in(files, self.place.root, name))
    }

    fn find_in(&self, files: &Files<'a>, folder: &str, name: &Pattern) -> Option<&'a MediaFile> {
        match name.filled(&self.captures) {
            Some(name) => files.at(folder, &name),
            None => {
                let mut below = files.below(folder);
                below.find(|(path, _)| name.is(path)).map(|(_, file)| file)
            }
        }
    }

    /// The ISO beside it.
    fn iso(&self, files: &Files<'a>) -> Option<&'a MediaFile> {
        let beside = self.layout.iso.as_ref().filter(|_| self.place.iso.is_none())?;
        let found = self.find_around(files, beside);
        found.filter(|file| is_iso(&file.path))
    }

    fn missing(&self, files: &Files<'a>) -> Vec<String> {
        let name = |name: &Pattern| {
            name.filled(&self.captures).unwrap_or_else(|| name.as_str().to_owned())
        };
        let absent = |name: &&Pattern| self.find(files, name).is_none();
        let mut missing: Vec<String> = self.layout.required().filter(absent).map(name).collect();
        if let Some(iso) = &self.layout.iso
            && self.place.iso.is_none()
            && self.iso(files).is_none()
        {
            missing.push(name(iso));
        }
        if self.profile.reports == Reports::InstallScript {
            missing.extend(self.profile.disk_image.iter().filter(absent).map(name));
        }
        missing
    }
}

/// PXELINUX has no quoting, and separates initrds by commas.
fn is_plain(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._+~@/".contains(&b);
    path.bytes().all(plain) && path.len() <= LONGEST_PATH
}

const RENAME: &str = "boot loaders cannot write this name; rename the files and folders on the way to it: \
     letters, digits, dots and dashes";

/// TFTP takes names of 500 letters, which begin with `images/<system>/<version>/`.
const LONGEST_PATH: usize = 380;
