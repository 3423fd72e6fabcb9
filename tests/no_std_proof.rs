//! Proof that `pleach-core` needs no std: a program with its own panic handler and allocator, which would clash with
//! those of std if anything below linked it (E0152). It names something of every public module, and a test checks that.
//!
//! `cargo build --profile nostd -p pleach-tests --bin no-std-proof --features no-std-proof`
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::panic::PanicInfo;
use core::time::Duration;

use pleach_core::admission::Level;
use pleach_core::bob::Compression;
use pleach_core::bob::Identity;
use pleach_core::bob::Public;
use pleach_core::bob::channel::Sealer;
use pleach_core::bob::client::Client as BobClient;
use pleach_core::bob::pack::Reader as PackReader;
use pleach_core::bob::packet::Uid;
use pleach_core::bob::peer::Stage;
use pleach_core::bob::public::COUNT_MAX;
use pleach_core::bob::relay::Relay;
use pleach_core::bob::server::Server as BobServer;
use pleach_core::bob::spoke::Client;
use pleach_core::bob::spoke::derivation::Derivation;
use pleach_core::bob::spoke::group::Exponent;
use pleach_core::bob::spoke::map::from_uniform;
use pleach_core::bob::spoke::schedule::MainKey;
use pleach_core::bounded::Bucket;
use pleach_core::broadcast::Id;
use pleach_core::channel::identify::Info;
use pleach_core::channel::multistream::Negotiation;
use pleach_core::channel::noise::Payload;
use pleach_core::channel::ping::Echo;
use pleach_core::channel::yamux::Flags;
use pleach_core::channel::{Channel, StreamId};
use pleach_core::deadline::Deadlines;
use pleach_core::heads::Admission;
use pleach_core::identity::PeerId;
use pleach_core::identity::stamp::Stamp;
use pleach_core::ip::Class;
use pleach_core::link::LinkId;
use pleach_core::machine::{At, Machine};
use pleach_core::mesh::Command;
use pleach_core::mesh::establishment::Motive;
use pleach_core::mesh::heads::Fields as HeadFields;
use pleach_core::mesh::node::Node;
use pleach_core::mesh::rpc::payload_max;
use pleach_core::mesh::rpc::raw::Rpc;
use pleach_core::mesh::signed::AGE_MAX;
use pleach_core::overlay::Priority;
use pleach_core::peers::Book;
use pleach_core::peers::dial::Dialler;
use pleach_core::queue::Outgoing;
use pleach_core::relay::Pipe;
use pleach_core::rng::below;
use pleach_core::session::Closing;
use pleach_core::stats::count;
use pleach_core::time::Instant;
use pleach_core::wire::cbor::validate;
use pleach_core::wire::frame::{Deframer, Prefix};
use pleach_core::wire::multiaddr::Multiaddr;
use pleach_core::wire::protobuf::Fields;
use pleach_core::wire::{Reader, base58::encode, varint::read};
use rand_core::CryptoRng;

/// Gives out nothing: the program is linked, not run.
struct NoMemory;

// A program without std needs an allocator of its own, which cannot be written without `unsafe`.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: NoMemory = NoMemory;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

// What std would bring along to link: the C library, for its start-up code and memcpy.
#[allow(unsafe_code)]
#[link(name = "c")]
unsafe extern "C" {}

// The `alloc` that comes with the compiler was built to unwind and names this symbol; nothing here unwinds.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

// The start-up code calls `main`: only an exported symbol of that name lets the program link.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    foundation();
    capabilities();
    networks();
    0
}

fn foundation() {
    let now = Instant::ORIGIN + Duration::from_secs(1);
    black_box(Bucket::new(1, Duration::from_secs(1)).take(now));
    black_box(Deadlines::<u8>::new().next());
    black_box(PeerId::from_bytes(&[]));
    black_box(Stamp([0; 24]).proves(&[0; 32], 1));
    black_box(At { now, ..At::default() });
    black_box(Class::of(core::net::Ipv4Addr::LOCALHOST.into()));
    black_box(LinkId(LinkId::ACCEPTED));
    black_box::<fn(&mut dyn CryptoRng) -> u64>(|generator| below(generator, 3));
    count(&mut 0);
    black_box(encode(&[1, 2, 3]));
    black_box(validate(&[0]).is_ok());
    black_box(read(&mut Reader::new(&[1])).is_ok());
    black_box(Deframer::new(Prefix::Varint, 10).buffered());
    black_box(Multiaddr::try_from([].as_slice()).is_ok());
    black_box(Fields::new(&[]).count());
}

fn capabilities() {
    black_box(Level(0));
    black_box(Id::of(b"payload"));
    black_box::<fn(&Channel) -> Option<Instant>>(Channel::poll_timeout);
    black_box(StreamId(1));
    black_box(Info::decode(&[]).is_ok());
    black_box::<fn(&mut alloc::vec::Vec<u8>) -> Negotiation>(Negotiation::listener);
    black_box(Payload::decode(&[]).is_ok());
    black_box::<Option<Echo>>(None);
    black_box(Flags::SYN);
    black_box(Admission::Open);
    black_box(Priority::Low);
    black_box::<fn(&Book<u8>) -> usize>(Book::len);
    black_box::<fn(&Dialler<u8>) -> usize>(Dialler::len);
    black_box::<Option<Outgoing<u8>>>(None);
    black_box(Pipe::new(1, 0, 1).copied());
    black_box(Closing::Flush);
}

fn networks() {
    black_box(Identity::new(bytes::Bytes::new()).is_ok());
    black_box(Uid::RELAY);
    black_box::<fn(&Relay) -> Option<Instant>>(Relay::poll_timeout);
    black_box(COUNT_MAX);
    black_box(Public::decode(&[]).is_ok());
    black_box::<fn(Sealer, &mut bytes::BytesMut)>(Sealer::close);
    black_box::<Option<Client>>(None);
    black_box::<fn(&mut Derivation, u32) -> Option<_>>(Derivation::advance);
    black_box(from_uniform(&[0; 32]).times(&Exponent::masked([8; 32])));
    black_box(MainKey::from_bytes([0; 64]).subkey(0));
    black_box(Compression::None);
    black_box(PackReader::new(0).is_complete());
    black_box(Stage::Connect.name());
    black_box::<fn(&BobServer) -> Option<Instant>>(BobServer::poll_timeout);
    black_box::<fn(&BobClient) -> Option<Instant>>(BobClient::poll_timeout);
    black_box(Command::Shutdown);
    black_box(Motive::of(1));
    black_box(HeadFields::from_body(&[]).is_ok());
    black_box::<fn(&Node) -> Option<Instant>>(Node::poll_timeout);
    black_box(AGE_MAX);
    black_box(payload_max("topic"));
    black_box(Rpc::decode(&[]).is_ok());
}
