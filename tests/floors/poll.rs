//! L9, the half that no run can show: `poll_timeout` reads a cached instant or the head of an index; it does not scan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Block, Expr, ImplItem, Item};

use crate::source::{self, Source};

/// Methods that walk over a collection.
const SCANS: &[&str] = &[
    "chunks",
    "drain",
    "extract_if",
    "into_iter",
    "into_keys",
    "into_values",
    "iter",
    "keys",
    "range",
    "retain",
    "values",
    "windows",
];

/// The functions of one folder by name; of several with one name, all.
type Functions<'a> = BTreeMap<String, Vec<&'a Block>>;

#[derive(Default)]
struct Body {
    scans: Vec<String>,
    calls: BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Body {
    fn visit_expr_for_loop(&mut self, _: &'ast syn::ExprForLoop) {
        self.scans.push("for".into());
    }

    fn visit_expr_while(&mut self, _: &'ast syn::ExprWhile) {
        self.scans.push("while".into());
    }

    fn visit_expr_loop(&mut self, _: &'ast syn::ExprLoop) {
        self.scans.push("loop".into());
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        // A few deadlines listed on the spot are no collection.
        let listed = matches!(&*call.receiver, Expr::Array(_));
        if SCANS.contains(&name.as_str()) && !listed {
            self.scans.push(name);
        } else {
            self.calls.insert(name);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        self.calls.extend(path.path.segments.last().map(|segment| segment.ident.to_string()));
    }
}

fn functions<'a>(sources: &[&'a Source]) -> Functions<'a> {
    let mut found = Functions::new();
    let mut add = |signature: &syn::Signature, block: &'a Block| {
        found.entry(signature.ident.to_string()).or_default().push(block);
    };
    for item in sources.iter().flat_map(|source| &source.file.items) {
        if let Item::Fn(function) = item {
            add(&function.sig, &function.block);
        } else if let Item::Impl(block) = item {
            for item in &block.items {
                if let ImplItem::Fn(function) = item {
                    add(&function.sig, &function.block);
                }
            }
        }
    }
    found
}

/// What `poll_timeout` of this folder scans, also through the folder's own functions.
fn scans(sources: &[&Source]) -> Vec<String> {
    let functions = functions(sources);
    let mut done = BTreeSet::new();
    let mut open = vec!["poll_timeout".to_owned()];
    let mut found = Vec::new();
    while let Some(name) = open.pop() {
        if !done.insert(name.clone()) {
            continue;
        }
        for block in functions.get(&name).into_iter().flatten() {
            let mut body = Body::default();
            body.visit_block(block);
            found.extend(body.scans.into_iter().map(|scan| format!("{name} uses {scan}")));
            open.extend(body.calls);
        }
    }
    found
}

#[test]
fn l9_poll_timeout_scans_nothing() {
    let sources = source::core();
    let sources: Vec<_> = sources.iter().filter(|source| !source.is_test()).collect();
    let folders: BTreeSet<_> = sources.iter().filter_map(|source| source.module.first()).collect();
    let mut found = Vec::new();
    for folder in folders {
        let of_folder: Vec<_> =
            sources.iter().filter(|source| source.module.first() == Some(folder)).copied().collect();
        found.extend(scans(&of_folder).into_iter().map(|scan| format!("{folder}: {scan}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn l9_a_planted_scan_is_found() {
    let parse = |text: &str| Source::parse(Path::new("x.rs"), Path::new("x.rs"), text.to_owned());
    let scanning = [
        "impl Machine for M { fn poll_timeout(&self) -> T { self.peers.values().map(|p| p.due).min() } }",
        "impl Machine for M { fn poll_timeout(&self) -> T { self.next() } } impl M { fn next(&self) -> T { least(self) } }
         fn least(m: &M) -> T { for peer in &m.peers {} }",
    ];
    for text in scanning {
        assert_eq!(scans(&[&parse(text)]).len(), 1, "{text}");
    }
    let cheap = "impl Machine for M { fn poll_timeout(&self) -> T {
        [self.one, self.deadlines.next()].into_iter().flatten().min() } }";
    assert_eq!(scans(&[&parse(cheap)]), Vec::<String>::new());
}
