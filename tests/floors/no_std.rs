//! The no_std proof names every public module of core: what it does not name, it does not prove.

use std::path::Path;

use syn::{Item, Visibility};

use crate::paths::written;
use crate::source::{self, Source};

/// The public modules: those declared `pub` along the whole way from `lib.rs`.
fn public_modules(sources: &[Source]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(module) = open.pop() {
        let Some(source) = sources.iter().find(|source| source.module == module) else { continue };
        for item in &source.file.items {
            if let Item::Mod(child) = item
                && matches!(child.vis, Visibility::Public(_))
            {
                let path = [module.as_slice(), &[child.ident.to_string()]].concat();
                found.push(path.clone());
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The public modules of which `proof` names no item.
fn unnamed(modules: &[Vec<String>], proof: &Source) -> Vec<String> {
    let named: Vec<_> = written(&proof.file).into_iter().map(|path| path.names).collect();
    let names = |module: &Vec<String>| {
        named.iter().any(|path| {
            let below = path
                .strip_prefix(&["pleach_core".to_owned()])
                .and_then(|path| path.strip_prefix(module.as_slice()));
            let child =
                |name: &String| modules.contains(&[module.as_slice(), std::slice::from_ref(name)].concat());
            below.and_then(<[String]>::first).is_some_and(|item| !child(item))
        })
    };
    modules.iter().filter(|module| !names(module)).map(|module| module.join("::")).collect()
}

#[test]
fn the_no_std_proof_names_every_public_module() {
    let modules = public_modules(&source::core());
    assert!(modules.iter().any(|module| module.join("::") == "wire::varint"), "{modules:?}");
    let path = source::root().join("tests/no_std_proof.rs");
    let proof = Source::parse(&path, Path::new("no_std_proof.rs"), source::read(&path));
    let missing = unnamed(&modules, &proof);
    assert!(missing.is_empty(), "tests/no_std_proof.rs names nothing of {missing:?}");
}

#[test]
fn a_module_that_is_only_passed_through_is_missing() {
    let modules = [vec!["wire".to_owned()], vec!["wire".to_owned(), "varint".to_owned()]];
    let parse = |text: &str| Source::parse(Path::new("x.rs"), Path::new("x.rs"), text.to_owned());
    assert_eq!(unnamed(&modules, &parse("use pleach_core::wire::varint::read;")), ["wire"]);
    assert_eq!(unnamed(&modules, &parse("use pleach_core::wire::{varint, Reader};")), ["wire::varint"]);
    assert_eq!(unnamed(&modules, &parse("use pleach_core::wire::{varint::read, Reader};")), [""; 0]);
}
