//! tmp
pub mod multistream;
pub mod noise;
