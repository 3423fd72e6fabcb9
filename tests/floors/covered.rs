//! Every machine of core is checked by the laws and fuzzed, and every decoder of a peer's bytes is fuzzed.

use std::collections::{BTreeMap, BTreeSet};

use syn::{FnArg, ImplItem, Item, ItemImpl, Signature, Type, Visibility};

use crate::source::{self, Source};

/// Decoders, and the fuzz target that feeds each. One that is added and not named here fails the test.
const DECODERS: &[(&str, &str)] = &[
    ("bob::packet::decode::Decoder::next", "wire_bob_packet"),
    ("bob::pack::reader::Reader::next_event", "wire_bob_pack"),
    ("bob::channel::open::Opener::open", "wire_bob_record"),
    ("bob::public::Public::decode", "wire_bob_public"),
    ("bob::spoke::group::Element::decode", "wire_bob_public"),
    ("bob::spoke::secret::Verifier::decode", "wire_bob_public"),
    ("bob::pack::name::Name::TryFrom", "wire_bob_pack"),
    ("channel::identify::Info::decode", "wire_identify"),
    ("channel::identify::record::PeerRecord::decode", "wire_identify"),
    ("channel::identify::record::PeerRecord::open", "wire_identify"),
    ("channel::multistream::decode", "wire_multistream"),
    ("channel::noise::payload::Payload::decode", "wire_noise_payload"),
    ("channel::noise::transport::Frames::next_frame", "machine_channel"),
    ("channel::noise::transport::Frames::next_frame_within", "machine_channel"),
    ("channel::yamux::Multiplexer::next_event", "wire_yamux"),
    ("channel::yamux::frame::Header::decode", "wire_yamux"),
    ("identity::keys::Keypair::from_protobuf", "wire_keys"),
    ("identity::keys::PublicKey::from_protobuf", "wire_keys"),
    ("identity::peer_id::PeerId::FromStr", "wire_peer_id"),
    ("identity::peer_id::PeerId::from_bytes", "wire_peer_id"),
    ("mesh::establishment::message::Message::from_frame", "wire_establishment"),
    ("mesh::heads::Fields::from_body", "wire_heads"),
    ("mesh::heads::Head::from_parts", "wire_heads"),
    ("mesh::heads::decode_frame", "wire_heads"),
    ("mesh::rpc::decode", "wire_rpc"),
    ("mesh::rpc::raw::Rpc::decode", "wire_rpc"),
    ("mesh::signed::Signed::open", "wire_signed"),
    ("mesh::signed::Signed::read", "wire_signed"),
    ("peers::book::Book::restore", "wire_record"),
    ("wire::base58::decode", "wire_base58"),
    ("wire::cbor::validate", "wire_cbor"),
    ("wire::multiaddr::Multiaddr::FromStr", "wire_multiaddr"),
    ("wire::multiaddr::Multiaddr::TryFrom", "wire_multiaddr"),
    ("wire::varint::read", "wire_varint"),
    ("wire::varint::read_protobuf", "wire_varint"),
];

/// The last name of a type: `Heads` of `crate::heads::Heads<R>`.
fn name(of: &Type) -> String {
    let last = if let Type::Path(path) = of { path.path.segments.last() } else { None };
    last.map(|last| last.ident.to_string()).unwrap_or_default()
}

fn implemented(item: &ItemImpl) -> Option<String> {
    let (path, _) = item.trait_.as_ref()?;
    Some(path.segments.last()?.ident.to_string())
}

fn impls(sources: &[Source]) -> impl Iterator<Item = (&Source, &ItemImpl)> {
    sources.iter().filter(|source| !source.is_test()).flat_map(|source| {
        let impls = source
            .file
            .items
            .iter()
            .filter_map(|item| if let Item::Impl(item) = item { Some(item) } else { None });
        impls.map(move |item| (source, item))
    })
}

fn read(path: &str) -> String {
    std::fs::read_to_string(source::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Machines by the subject that drives them.
fn subjects() -> BTreeMap<String, String> {
    let folder = source::root().join("tests/support/subjects");
    let mut found = BTreeMap::new();
    for path in source::rust_files(&folder) {
        let text = std::fs::read_to_string(&path).expect("found above");
        let file = Source::parse(&path, path.strip_prefix(&folder).expect("found below it"), text);
        for (_, item) in impls(std::slice::from_ref(&file)) {
            if implemented(item).as_deref() != Some("Subject") {
                continue;
            }
            for item_type in &item.items {
                if let ImplItem::Type(alias) = item_type
                    && alias.ident == "Machine"
                {
                    found.insert(name(&alias.ty), name(&item.self_ty));
                }
            }
        }
    }
    found
}

#[test]
fn every_machine_obeys_the_laws_and_is_fuzzed() {
    let sources = source::core();
    let machines: BTreeSet<_> = impls(&sources)
        .filter(|(_, item)| implemented(item).as_deref() == Some("Machine"))
        .map(|(_, item)| name(&item.self_ty))
        .collect();
    assert!(machines.len() >= 8, "{machines:?}");
    let (subjects, laws, fuzz) = (subjects(), read("tests/laws.rs"), read("fuzz/src/machine.rs"));
    for machine in machines {
        let subject = subjects.get(&machine);
        let subject = subject.unwrap_or_else(|| panic!("{machine} has no subject in tests/support/subjects"));
        assert!(laws.contains(&format!("campaign::<{subject}>")), "tests/laws.rs does not check {machine}");
        assert!(fuzz.contains(&format!("obeys::<{subject}>")), "no target machine_* drives {machine}");
    }
}

/// Whether a function reads bytes or text into a value, by its name and arguments.
fn decodes(signature: &Signature) -> bool {
    let named = signature.ident.to_string();
    let verb = ["decode", "from_", "next", "open", "read", "restore", "validate"];
    let takes_bytes = references(signature).any(|to| {
        let is_named = ["Bytes", "str", "Reader"].contains(&name(to).as_str());
        let is_slice = matches!(to, Type::Slice(slice) if name(&slice.elem) == "u8");
        // Seeds and secrets have a fixed size too.
        let is_array = matches!(to, Type::Array(array) if name(&array.elem) == "u8") && named == "decode";
        is_named || is_slice || is_array
    });
    verb.iter().any(|verb| named.starts_with(verb)) && takes_bytes
}

/// What the arguments of a function refer to.
fn references(signature: &Signature) -> impl Iterator<Item = &Type> {
    signature.inputs.iter().filter_map(|argument| {
        if let FnArg::Typed(argument) = argument
            && let Type::Reference(to) = &*argument.ty
        {
            Some(&*to.elem)
        } else {
            None
        }
    })
}

const fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn decoders(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let module = source.module.join("::");
        for item in &source.file.items {
            if let Item::Fn(function) = item
                && is_public(&function.vis)
                && decodes(&function.sig)
            {
                found.insert(format!("{module}::{}", function.sig.ident));
            }
        }
    }
    for (source, item) in impls(sources) {
        found.extend(decoders_of(&source.module.join("::"), item));
    }
    found
}

fn decoders_of(module: &str, item: &ItemImpl) -> Vec<String> {
    let of = name(&item.self_ty);
    let methods = || {
        item.items.iter().filter_map(|item| if let ImplItem::Fn(method) = item { Some(method) } else { None })
    };
    let of_slice = |signature: &Signature| references(signature).any(|to| matches!(to, Type::Slice(_)));
    match implemented(item).as_deref() {
        Some("FromStr") => vec![format!("{module}::{of}::FromStr")],
        Some("TryFrom") if methods().any(|method| of_slice(&method.sig)) => {
            vec![format!("{module}::{of}::TryFrom")]
        }
        Some(_) => Vec::new(),
        None => methods()
            .filter(|method| is_public(&method.vis) && decodes(&method.sig))
            .map(|method| format!("{module}::{of}::{}", method.sig.ident))
            .collect(),
    }
}

#[test]
fn every_decoder_is_fuzzed() {
    let found = decoders(&source::core());
    let listed: BTreeSet<_> = DECODERS.iter().map(|(decoder, _)| (*decoder).to_owned()).collect();
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "decoders that no target is named for: {missing:#?}");
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "decoders that are no more: {gone:#?}");
    let targets = read("fuzz/src/lib.rs");
    for (decoder, target) in DECODERS {
        assert!(targets.contains(&format!("(\"{target}\",")), "{decoder}: there is no target {target}");
    }
}
