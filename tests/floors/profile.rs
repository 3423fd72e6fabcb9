//! What the manifests promise.

use toml::{Table, Value};

use crate::source;

fn manifest(path: &str) -> Table {
    source::read(&source::root().join(path)).parse().expect("a manifest is TOML")
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

/// T-1: what is released checks its arithmetic as what is tested does.
#[test]
fn t1_release_keeps_overflow_checks() {
    let workspace = manifest("Cargo.toml");
    assert_eq!(at(&workspace, &["profile", "release", "overflow-checks"]), Some(&Value::Boolean(true)));
    assert_ne!(at(&workspace, &["profile", "dev", "overflow-checks"]), Some(&Value::Boolean(false)));
    let overflow = std::panic::catch_unwind(|| std::hint::black_box(u8::MAX) + 1);
    assert!(overflow.is_err(), "tests run with overflow checks");
}

#[test]
fn core_forbids_unsafe_code_and_does_without_std() {
    let library = source::read(&source::root().join("core/src/lib.rs"));
    assert!(library.contains("#![no_std]") && library.contains("#![forbid(unsafe_code)]"));
    let core = manifest("core/Cargo.toml");
    assert_eq!(at(&core, &["features", "default"]), Some(&Value::Array(Vec::new())));
}

/// Each package takes versions and lints from the one table.
#[test]
fn members_share_dependencies_and_lints() {
    for member in ["core", "runtime-smol", "runtime-sim", "fuzz", "tests"] {
        let manifest = manifest(&format!("{member}/Cargo.toml"));
        assert_eq!(at(&manifest, &["lints", "workspace"]), Some(&Value::Boolean(true)), "{member}");
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(kind).and_then(Value::as_table);
            for (name, value) in table.into_iter().flatten() {
                assert_eq!(value.get("workspace"), Some(&Value::Boolean(true)), "{member}: {name}");
            }
        }
    }
}
