//! The data sets that are known by name: what they are called, whom to cite, where they are published.

use std::path::{Path, PathBuf};

use super::listing::Listing;
use crate::entries::entries;

/// A known data set.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(super) title: &'static str,
    pub(super) hub_id: &'static str,
    pub(super) licence: Option<&'static str>,
    pub(super) citation: &'static str,
    /// Where it may lie within a folder of data sets, the likelier first.
    pub(super) places: &'static [&'static str],
    /// The files as they were published.
    pub(crate) files: &'static [Published],
}

/// A file as it was published.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) name: &'static str,
    /// The address up to the name.
    pub(crate) url: &'static str,
    pub(crate) md5: &'static str,
    pub(crate) unpacked_md5: Option<&'static str>,
}

const fn file(url: &'static str, name: &'static str, md5: &'static str) -> Published {
    Published {
        name,
        url,
        md5,
        unpacked_md5: None,
    }
}

const fn gz(
    url: &'static str,
    name: &'static str,
    md5: &'static str,
    unpacked: &'static str,
) -> Published {
    Published {
        name,
        url,
        md5,
        unpacked_md5: Some(unpacked),
    }
}

const KRIZHEVSKY: &str = "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009";
const TORONTO: &str = "https://www.cs.toronto.edu/~kriz/";
const FASHION: &str =
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/";
const OSSCI: &str = "https://ossci-datasets.s3.amazonaws.com/mnist/";
const LAKE: &str = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/";

pub(crate) const CIFAR100: Known = Known {
    name: "cifar100",
    title: "CIFAR-100",
    hub_id: "uoft-cs/cifar100",
    licence: None,
    citation: KRIZHEVSKY,
    places: &[
        "cifar-100-binary.tar.gz",
        "cifar-100-binary",
        "cifar100",
        "hub/datasets/uoft-cs/cifar100",
    ],
    files: &[file(
        TORONTO,
        "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
    )],
};

pub(crate) const CIFAR10: Known = Known {
    name: "cifar10",
    title: "CIFAR-10",
    hub_id: "uoft-cs/cifar10",
    licence: None,
    citation: KRIZHEVSKY,
    places: &[
        "cifar-10-binary.tar.gz",
        "cifar-10-batches-bin",
        "cifar10",
        "hub/datasets/uoft-cs/cifar10",
    ],
    files: &[file(
        TORONTO,
        "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
    )],
};

pub(crate) const FASHION_MNIST: Known = Known {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    hub_id: "zalando-datasets/fashion_mnist",
    licence: Some("MIT"),
    citation: "Xiao, Rasul, Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms, 2017",
    places: &["fashion-mnist", "FashionMNIST/raw"],
    files: &[
        gz(
            FASHION,
            "train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        ),
        gz(
            FASHION,
            "train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
            "9018921c3c673c538a1fc5bad174d6f9",
        ),
        gz(
            FASHION,
            "t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
            "8181f5470baa50b63fa0f6fddb340f0a",
        ),
        gz(
            FASHION,
            "t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ],
};

pub(crate) const MNIST: Known = Known {
    name: "mnist",
    title: "MNIST",
    hub_id: "ylecun/mnist",
    licence: None,
    citation: "LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition, 1998",
    places: &["mnist", "MNIST/raw"],
    files: &[
        file(
            OSSCI,
            "train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        ),
        file(
            OSSCI,
            "train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
        ),
        file(
            OSSCI,
            "t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
        ),
        file(
            OSSCI,
            "t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ],
};

pub(crate) const OMNIGLOT: Known = Known {
    name: "omniglot",
    title: "Omniglot",
    hub_id: "",
    licence: Some("MIT"),
    citation: "Lake, Salakhutdinov, Tenenbaum, Human-level concept learning through probabilistic program induction, 2015",
    places: &["omniglot"],
    files: &[
        file(
            LAKE,
            "images_background.zip",
            "68d2efa1b9178cc56df9314c21c6e718",
        ),
        file(
            LAKE,
            "images_evaluation.zip",
            "6b91aef0f799c5bb55b94e3f2daec811",
        ),
    ],
};

pub(crate) const ATT_FACES: Known = Known {
    name: "att-faces",
    title: "AT&T faces",
    hub_id: "",
    licence: None,
    citation: "Samaria, Harter, Parameterisation of a Stochastic Model for Human Face Identification, 1994; credit to Olivetti Research Laboratory",
    places: &[
        "att-faces.tar.gz",
        "att_faces.tar.gz",
        "att_faces.zip",
        "att-faces",
        "att_faces",
    ],
    files: &[],
};

/// All known sets.
pub(crate) const KNOWN: [&Known; 6] = [
    &CIFAR100,
    &CIFAR10,
    &FASHION_MNIST,
    &MNIST,
    &OMNIGLOT,
    &ATT_FACES,
];

impl Known {
    /// The set called `name`, however it is written: `CIFAR-100`, `fashion_mnist`.
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
        KNOWN
            .into_iter()
            .find(|known| plain(known.name) == plain(name))
    }

    /// Tells `listing` what it is called and whom to cite.
    pub(crate) fn introduce(&self, listing: &mut Listing) {
        listing.name = self.name.into();
        listing.title = self.title.into();
        listing.licence = self.licence.map(String::from);
        listing.citation = Some(self.citation.into());
        listing.hub_id = Some(self.hub_id.to_string()).filter(|id| !id.is_empty());
    }

    /// Where the set lies in one of `folders`.
    pub(crate) fn find(&self, folders: &[PathBuf]) -> Option<PathBuf> {
        let mut places = folders
            .iter()
            .flat_map(|folder| self.places.iter().map(|place| folder.join(place)));
        places.find(|path| path.is_file() || self.is_whole(path))
    }

    /// Whether a folder holds something to read, and not only what belongs to the set (Omniglot's one-shot runs).
    fn is_whole(&self, folder: &Path) -> bool {
        let names: Vec<String> = entries(folder)
            .iter()
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        match self.name {
            "omniglot" => names.iter().any(|name| name.starts_with("images_")),
            "mnist" | "fashion-mnist" => names.iter().any(|name| name.contains("idx3")),
            _ => !names.is_empty(),
        }
    }
}

/// The known name that is most like `word`, if one is.
pub(crate) fn nearest(word: &str) -> Option<&'static str> {
    let nearness = |name: &str| strsim::jaro_winkler(&word.to_lowercase(), name);
    let names = KNOWN.iter().map(|known| known.name);
    let nearest = names.max_by(|a, b| nearness(a).total_cmp(&nearness(b)))?;
    (nearness(nearest) > 0.8).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_however_it_is_written() {
        assert_eq!(
            Known::of("Fashion_MNIST").map(|known| known.name),
            Some("fashion-mnist")
        );
        assert_eq!(
            Known::of("CIFAR-100").map(|known| known.name),
            Some("cifar100")
        );
        assert!(Known::of("imagenet").is_none());
        assert_eq!(
            (nearest("cifar-1000"), nearest("holidays")),
            (Some("cifar100"), None)
        );
    }
}
