//! T-72, the part that needs no network: licences and sources of everything in the lock file that this host builds.
#![allow(clippy::expect_used, clippy::panic)] // Helpers of tests: a panic is how they report.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than notice. `deny.toml` lists the same.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an expression of SPDX can be met by allowed licences. `/` is an old way to write OR.
fn permitted(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let (open, close) = (expression.find('('), expression.find(')'));
    if let (Some(open), Some(close)) = (open, close)
        && open < close
    {
        let inner = expression.get(open + 1..close).unwrap_or_default();
        let verdict = if permitted(inner) { "MIT" } else { "refused" };
        let (before, after) =
            (expression.get(..open).unwrap_or_default(), expression.get(close + 1..).unwrap_or_default());
        return permitted(&format!("{before}{verdict}{after}"));
    }
    // AND binds more closely than OR.
    expression
        .split(" OR ")
        .any(|alternative| alternative.split(" AND ").all(|licence| ALLOWED.contains(&licence.trim())))
}

/// The packages that this host builds, as cargo describes them.
fn packages() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc built this test");
    let host = String::from_utf8(host.stdout).expect("rustc prints text");
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let built = metadata.pointer("/resolve/nodes").and_then(Value::as_array).expect("cargo resolves");
    let built: BTreeSet<_> = built.iter().filter_map(|node| node.get("id")?.as_str()).collect();
    let all = metadata.get("packages").and_then(Value::as_array).expect("cargo lists packages");
    let used =
        |package: &&Value| package.get("id").and_then(Value::as_str).is_some_and(|id| built.contains(id));
    all.iter().filter(used).cloned().collect()
}

#[test]
fn t72_every_dependency_has_a_permissive_licence_and_a_known_source() {
    let mut found = Vec::new();
    let packages = packages();
    assert!(packages.len() > 30, "{}", packages.len());
    for package in &packages {
        let text = |member: &str| package.get(member).and_then(Value::as_str);
        let name = format!("{} {}", text("name").unwrap_or("?"), text("version").unwrap_or("?"));
        match text("license") {
            Some(licence) if permitted(licence) => {}
            licence => found.push(format!("{name}: licence {licence:?}")),
        }
        let source = text("source");
        if source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index") {
            found.push(format!("{name}: source {source:?}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for good in
        ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR GPL-2.0) AND Unicode-3.0", "MIT AND (ISC OR X)"]
    {
        assert!(permitted(good), "{good}");
    }
    for bad in ["", "AGPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND LGPL-3.0", "Apache-2.0 WITH X"] {
        assert!(!permitted(bad), "{bad}");
    }
}
