//! tmp
pub mod identify;
pub mod multistream;
pub mod noise;
pub mod ping;
pub mod yamux;
