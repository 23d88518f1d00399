//! Why no pairs can be made, in words.

/// Why no pairs can be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// There is no image to draw from.
    #[error("no images to make pairs of")]
    Empty,
    /// An index points past the images.
    #[error("image index {index} is out of range: there are {images} labels")]
    Index {
        /// The offending index.
        index: u32,
        /// The number of labels given.
        images: usize,
    },
    /// An image was given twice, and would meet itself.
    #[error("image index {index} is given twice")]
    Duplicate {
        /// The repeated index.
        index: u32,
    },
    /// Unlike pairs need two classes.
    #[error("all images are of class {label}: unlike pairs need at least two classes")]
    OneClass {
        /// The label of the only class.
        label: u32,
    },
    /// Like pairs need a class with two images.
    #[error("none of the {classes} classes has two images: there is no like pair")]
    NoLikePair {
        /// The number of classes.
        classes: usize,
    },
    /// Listed pairs are of one kind.
    #[error(
        "no {kind} pair is listed among those to train on: to learn from pairs, both kinds are needed"
    )]
    NoneListed {
        /// `like` or `unlike`.
        kind: &'static str,
    },
    /// More images than can be unlike anchors have no second image of their class.
    #[error(
        "{lone} of {images} images are alone in their class and can only be unlike anchors, but \
         half of all pairs are like: give these classes a second image or leave them out: {}",
        list(classes)
    )]
    LoneImages {
        /// How many classes have one image.
        lone: usize,
        /// How many images there are.
        images: usize,
        /// The labels of those classes.
        classes: Vec<u32>,
    },
    /// The table of superclasses does not cover a class.
    #[error("class {label} has no superclass: the table covers classes 0 to {given} (exclusive)")]
    Superclass {
        /// The class label.
        label: u32,
        /// The length of the table.
        given: usize,
    },
    /// More is asked for than allowed, in words.
    #[error("{0}")]
    TooMany(String),
    /// A setting is out of its range.
    #[error("{name} is {value}, expected {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A batch wants more classes than there are.
    #[error(
        "{name} is {value}, and {classes} training classes have the images for it ({images} or more): {name} may be that at most"
    )]
    TooFewClasses {
        /// The setting's name.
        name: &'static str,
        /// Its value.
        value: usize,
        /// Training classes with enough images.
        classes: usize,
        /// Images that a class must have.
        images: usize,
    },
    /// The class weights are not one per class.
    #[error("{given} class weights for {classes} classes (labels 0 to {classes}, exclusive)")]
    WeightCount {
        /// The number of weights.
        given: usize,
        /// The number of classes.
        classes: usize,
    },
    /// A class weight is negative, infinite or not a number.
    #[error("the weight of class {label} is {weight}, expected a finite number of at least 0")]
    Weight {
        /// The class label.
        label: usize,
        /// Its weight.
        weight: f64,
    },
    /// The weights leave no partner for unlike pairs.
    #[error("unlike pairs need two classes with images and a weight above 0, there are {positive}")]
    TooFewWeights {
        /// How many such classes there are.
        positive: usize,
    },
}

/// The first few labels, for a message.
fn list(labels: &[u32]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<_> = labels.iter().take(SHOWN).map(u32::to_string).collect();
    match labels.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
