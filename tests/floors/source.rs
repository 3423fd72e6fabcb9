//! Reads Rust sources as syntax trees.

use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// Where, from the root of the workspace.
    pub(crate) path: PathBuf,
    /// The module it is: `["overlay", "message"]` for `core/src/overlay/message.rs`; none of it for `lib.rs`.
    pub(crate) module: Vec<String>,
    /// What it says.
    pub(crate) text: String,
    /// The same, parsed.
    pub(crate) file: syn::File,
}

impl Source {
    /// Parses one file of a `src` folder, whose path below that folder is `below`.
    pub(crate) fn parse(path: &Path, below: &Path, text: String) -> Self {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let stem = below.with_extension("");
        let mut module: Vec<_> =
            stem.iter().map(|part| part.to_str().expect("names of modules are text").to_owned()).collect();
        if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
            module.pop();
        }
        Self { path: path.to_owned(), module, text, file }
    }

    /// Whether it holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the workspace").to_owned()
}

/// All files of `core/src`, parsed.
pub(crate) fn core() -> Vec<Source> {
    let folder = root().join("core/src");
    let sources: Vec<_> = rust_files(&folder)
        .iter()
        .map(|path| {
            let below = path.strip_prefix(&folder).expect("found below it");
            Source::parse(path, below, read(path))
        })
        .collect();
    assert!(sources.len() > 20, "core/src has more files than {}", sources.len());
    sources
}

/// All Rust files below a folder, sorted; build outputs left out.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("so can its entries").path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name == "target" || name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
