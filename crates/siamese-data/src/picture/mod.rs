//! Pictures as people have them, and how they become images of a set.

pub(crate) mod framing;
