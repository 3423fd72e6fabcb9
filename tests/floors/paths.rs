//! No path in `core/src` goes up a floor, and none leads from one capability to another.

use std::path::Path;

use syn::UseTree;
use syn::visit::{self, Visit};

use crate::source::{self, Source};

const FOUNDATION: &[&str] = &[
    "bounded", "crypto", "deadline", "identity", "ip", "link", "machine", "rng", "stats", "time", "trace",
    "wire",
];
const NETWORKS: &[&str] = &["bob", "duniter", "mesh", "nodetrust", "tezos"];
const CAPABILITIES: &[&str] = &[
    "admission",
    "broadcast",
    "channel",
    "content",
    "heads",
    "overlay",
    "peers",
    "queue",
    "reach",
    "relay",
    "request",
    "schedule",
    "session",
];
/// What `lib.rs` re-exports comes from floor 1.
const REEXPORTS: &[&str] =
    &["At", "Clock", "Context", "Driver", "Instant", "Machine", "Sink", "WallTime", "counters"];

/// The floor of a top-level module or re-export.
fn floor(name: &str) -> Option<u8> {
    if FOUNDATION.contains(&name) || REEXPORTS.contains(&name) {
        Some(1)
    } else if CAPABILITIES.contains(&name) {
        Some(2)
    } else {
        NETWORKS.contains(&name).then_some(3)
    }
}

/// A path as it is written, and the inline modules around it.
pub(crate) struct Written {
    inside: Vec<String>,
    /// The names, in order.
    pub(crate) names: Vec<String>,
}

/// All paths of a file: of `use` items, of expressions, types and patterns, and of what macros are given.
pub(crate) fn written(file: &syn::File) -> Vec<Written> {
    let mut collector = Collector { found: Vec::new(), inside: Vec::new() };
    collector.visit_file(file);
    collector.found
}

struct Collector {
    found: Vec<Written>,
    inside: Vec<String>,
}

impl Collector {
    fn add(&mut self, names: Vec<String>) {
        self.found.push(Written { inside: self.inside.clone(), names });
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) => self.add(with(name.ident.to_string())),
            UseTree::Rename(rename) => self.add(with(rename.ident.to_string())),
            UseTree::Glob(_) => self.add(with("*".into())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_use(before, tree)),
        }
    }

    /// Macros are not parsed: their paths are runs of names joined by `::`.
    fn add_tokens(&mut self, tokens: &str) {
        let spaced: String = tokens.split("::").collect::<Vec<_>>().join(" :: ");
        let spaced: String =
            spaced.chars().map(|c| if c.is_alphanumeric() || "_: ".contains(c) { c } else { ';' }).collect();
        let spaced = spaced.replace(';', " ; ");
        let mut names: Vec<String> = Vec::new();
        let mut joined = false;
        for word in spaced.split_whitespace().chain([";"]) {
            let name = word.chars().all(|c| c.is_alphanumeric() || c == '_');
            if (!name && word != "::") || (name && !joined && !names.is_empty()) {
                if names.len() > 1 {
                    self.add(std::mem::take(&mut names));
                }
                names.clear();
            }
            if name {
                names.push(word.to_owned());
            }
            joined = word == "::";
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.inside.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.inside.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.add_tokens(&mac.tokens.to_string());
        visit::visit_macro(self, mac);
    }
}

/// Where a path leads from the root of the crate; none if it does not say, or leads elsewhere.
fn absolute(source: &Source, path: &Written) -> Option<Vec<String>> {
    let mut here: Vec<String> = source.module.iter().chain(&path.inside).cloned().collect();
    let mut names = path.names.iter().peekable();
    match names.next()?.as_str() {
        "crate" => here.clear(),
        "self" => {}
        "super" => {
            here.pop();
        }
        _ => return None,
    }
    while names.next_if(|name| *name == "super").is_some() {
        here.pop();
    }
    here.extend(names.cloned());
    Some(here)
}

/// What is wrong with the paths of these files.
fn breaches(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        // `lib.rs` lists all floors and belongs to none.
        let Some(own) = source.module.first() else { continue };
        let Some(from) = floor(own) else {
            found.push(format!("{}: the module {own} is on no floor", source.path.display()));
            continue;
        };
        for path in written(&source.file) {
            let Some(target) = absolute(source, &path) else { continue };
            let name = target.first().map_or("*", String::as_str);
            let breach = match floor(name) {
                _ if name == own => None,
                None => Some("leads to the root of the crate, or to a module on no floor"),
                Some(to) if to > from => Some("goes up a floor"),
                Some(2) if from == 2 => Some("leads from one capability to another"),
                Some(_) => None,
            };
            if let Some(breach) = breach {
                found.push(format!("{}: `{}` {breach}", source.path.display(), path.names.join("::")));
            }
        }
    }
    found
}

#[test]
fn no_path_goes_up_a_floor_or_across_capabilities() {
    let found = breaches(&source::core());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn planted_breaches_are_found() {
    let planted = |below: &str, text: &str| {
        let source = Source::parse(Path::new(below), Path::new(below), text.to_owned());
        breaches(&[source]).len()
    };
    let up = [
        ("wire/frame.rs", "use crate::overlay::Message;"),
        ("wire/frame.rs", "use crate::{time::Instant, mesh::{self as network}};"),
        ("wire/mod.rs", "fn f() -> super::broadcast::Id { todo() }"),
        ("overlay/views/active.rs", "use super::super::super::mesh;"),
        ("overlay/mod.rs", "mod tests { use super::super::mesh::Config; }"),
        ("overlay/mod.rs", "fn f() { print(<crate::mesh::Config as Default>::default()) }"),
        ("overlay/mod.rs", "fn f() { assert!(crate::mesh::ready(1)); }"),
        ("overlay/mod.rs", "fn f(x: u8) { match x { crate::mesh::ONE => {} _ => {} } }"),
        ("overlay/mod.rs", "use crate::broadcast::Id;"),
        ("overlay/mod.rs", "use crate::*;"),
        ("overlay/mod.rs", "use crate as everything;"),
        ("time.rs", "pub use super::mesh;"),
        ("attic/mod.rs", "struct Old;"),
    ];
    for (below, text) in up {
        assert_eq!(planted(below, text), 1, "{below}: {text}");
    }
    let fine = [
        ("overlay/mod.rs", "mod message; pub use message::Message; use crate::time::Instant;"),
        ("overlay/views/active.rs", "use super::super::Message; use crate::overlay::Config;"),
        ("mesh/node.rs", "use crate::{broadcast, overlay, Context}; fn f() { crate::counters!(x); }"),
    ];
    for (below, text) in fine {
        assert_eq!(planted(below, text), 0, "{below}: {text}");
    }
}
