//! The systems that are reproduced: each a preset of `siamese train`, how it is judged, and what there is to beat.

/// A published system, or the best known recipe for its data.
pub(super) struct System {
    /// Its name, and that of the preset.
    pub(super) name: &'static str,
    /// Whose it is, and what of it.
    pub(super) about: &'static str,
    /// The data, for a person; the preset names it for the program.
    pub(super) data: &'static str,
    /// The seeds that are run where none are told; a seed decides the split too.
    pub(super) seeds: &'static [u64],
    /// The further arguments of each `siamese evaluate`.
    pub(super) judged: &'static [&'static [&'static str]],
    /// The figures, the system's own metric first.
    pub(super) figures: &'static [Figure],
}

/// A figure of a system.
pub(super) struct Figure {
    /// Which of the evaluations it comes from.
    pub(super) judged: usize,
    /// Its standard name.
    pub(super) key: &'static str,
    /// What a table calls it.
    pub(super) label: &'static str,
    /// What there is to beat.
    pub(super) beat: Option<Beat>,
}

/// A published figure.
#[derive(Clone, Copy)]
pub(super) struct Beat {
    pub(super) value: f64,
    /// Whether a smaller figure is a better one.
    pub(super) below: bool,
    pub(super) whose: &'static str,
}

const fn figure(judged: usize, key: &'static str, label: &'static str) -> Figure {
    Figure {
        judged,
        key,
        label,
        beat: None,
    }
}

const fn above(of: Figure, value: f64, whose: &'static str) -> Figure {
    let below = false;
    let beat = Some(Beat {
        value,
        below,
        whose,
    });
    Figure { beat, ..of }
}

const fn below(of: Figure, value: f64, whose: &'static str) -> Figure {
    let below = true;
    let beat = Some(Beat {
        value,
        below,
        whose,
    });
    Figure { beat, ..of }
}

const ROC_AUC: Figure = figure(0, "roc_auc", "ROC AUC");
const EER: Figure = figure(0, "eer", "EER");
const ACCURACY: Figure = figure(0, "accuracy", "pair accuracy");
const PRECISION: Figure = figure(0, "precision_called_same", "precision_called_same");
/// What systems D and E called accuracy.
const PRECISION_BELOW_HALF: Figure = figure(
    0,
    "precision_called_same",
    "precision_called_same below 0.5",
);
const BELOW_HALF: &[&str] = &["--threshold-at", "distance=0.5"];
const ONE_SHOT: Figure = figure(0, "few_shot_5way_1shot", "5-way 1-shot");
const FIVE_SHOT: Figure = figure(0, "few_shot_5way_5shot", "5-way 5-shot");
const ONE_SHOT_LOGISTIC: Figure = figure(
    0,
    "few_shot_5way_1shot_logistic",
    "1-shot, logistic regression",
);
const FIVE_SHOT_LOGISTIC: Figure = figure(
    0,
    "few_shot_5way_5shot_logistic",
    "5-shot, logistic regression",
);
const ONE_SHOT_MIRRORED: Figure = figure(
    0,
    "few_shot_5way_1shot_logistic_mirrored",
    "1-shot so, mirror images averaged",
);
const FIVE_SHOT_MIRRORED: Figure = figure(
    0,
    "few_shot_5way_5shot_logistic_mirrored",
    "5-shot so, mirror images averaged",
);

/// What both of system E's networks are measured by: its own figure, to beat `published`, then the honest ones.
const fn of_system_e(published: f64) -> [Figure; 6] {
    [
        above(PRECISION_BELOW_HALF, published, "system E"),
        figure(1, "precision_called_same", "precision_called_same"),
        figure(1, "accuracy", "pair accuracy"),
        figure(1, "knn_accuracy", "kNN accuracy"),
        figure(1, "eer", "EER"),
        figure(1, "roc_auc", "ROC AUC"),
    ]
}

/// What clothes are judged by, to beat what system E `published`.
const fn of_clothes(published: f64) -> [Figure; 5] {
    [
        above(PRECISION, published, "system E"),
        figure(0, "knn_accuracy", "kNN accuracy"),
        ACCURACY,
        EER,
        ROC_AUC,
    ]
}

/// What episodes are judged by, to beat what RFS published of one and of five shots. It classifies by a logistic regression
/// too, on five changed copies of each image of the support; averaged mirror images are the nearest that we have to that.
const fn of_episodes(one: f64, five: f64) -> [Figure; 8] {
    [
        ONE_SHOT,
        FIVE_SHOT,
        above(ONE_SHOT_LOGISTIC, one, "RFS-distill"),
        above(FIVE_SHOT_LOGISTIC, five, "RFS-distill"),
        ONE_SHOT_MIRRORED,
        FIVE_SHOT_MIRRORED,
        EER,
        ROC_AUC,
    ]
}

const FACES: System = System {
    name: "att-faces",
    about: "faces of people never seen, the data of system D's ancestor; ten splits of 30 and 10 people",
    data: "AT&T faces (att-faces)",
    seeds: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    judged: &[&["--pairs", "all"]],
    figures: &[
        below(EER, 0.0333, "published"),
        PRECISION,
        ACCURACY,
        ROC_AUC,
    ],
};

const LAKE: System = System {
    name: "omniglot",
    about: "Lake's 400 one-shot trials of 20 characters within an alphabet, each answered alone",
    data: "Omniglot (omniglot)",
    seeds: &[0, 1, 2],
    judged: &[&["--omniglot-trials"], &[]],
    figures: &[
        above(
            figure(0, "lake_one_shot_accuracy", "one-shot accuracy"),
            0.92,
            "Koch; people 95.5 %",
        ),
        figure(1, "eer", "EER"),
        figure(1, "roc_auc", "ROC AUC"),
    ],
};

const PET_PAIRS: System = System {
    name: "pet-pairs",
    about: "pairs of photos of unseen classes, system A's task: a frozen ResNet-50, whitened",
    data: "a folder of classes (--data)",
    seeds: &[0, 1, 2],
    judged: &[&[]],
    figures: &[above(ACCURACY, 0.86, "system A, on pets"), EER, ROC_AUC],
};

/// All of them; a new one is a preset in `siamese-train/presets` and an entry here.
pub(super) const SYSTEMS: &[System] = &[
    FACES,
    System {
        name: "att-faces-small",
        about: "the same by a small network that learns from the 30 people alone",
        ..FACES
    },
    System {
        name: "fashion",
        about: "clothes, the data of system E, by a convolutional tower",
        data: "Fashion-MNIST (fashion-mnist)",
        seeds: &[0, 1, 2],
        judged: &[&[]],
        figures: &[
            above(PRECISION, 0.9048, "system E"),
            above(
                figure(0, "knn_accuracy", "kNN accuracy"),
                0.899,
                "AlexNet, triplets",
            ),
            ACCURACY,
            EER,
            ROC_AUC,
        ],
    },
    System {
        name: "fashion-mlp",
        about: "clothes by the network of system E's m1, trained better",
        data: "Fashion-MNIST (fashion-mnist)",
        seeds: &[0, 1, 2],
        judged: &[&[]],
        figures: &of_clothes(0.9048),
    },
    System {
        name: "fashion-mlp-m2",
        about: "the same by the network of system E's m2",
        data: "Fashion-MNIST (fashion-mnist)",
        seeds: &[0, 1, 2],
        judged: &[&[]],
        figures: &of_clothes(0.8009),
    },
    System {
        name: "system-e",
        about: "system E's m1 to the letter; its \"accuracy\" is precision_called_same below 0.5",
        data: "Fashion-MNIST (fashion-mnist)",
        seeds: &[0, 1, 2],
        judged: &[BELOW_HALF, &[]],
        figures: &of_system_e(0.9048),
    },
    System {
        name: "system-e-m2",
        about: "system E's m2 to the letter: m1 with one layer more",
        data: "Fashion-MNIST (fashion-mnist)",
        seeds: &[0, 1, 2],
        judged: &[BELOW_HALF, &[]],
        figures: &of_system_e(0.8009),
    },
    System {
        name: "att-faces-d",
        about: "system D's network to the letter, on the data of its ancestor",
        data: "AT&T faces (att-faces)",
        seeds: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        judged: &[
            &["--pairs", "all", "--threshold-at", "distance=0.5"],
            &["--pairs", "all"],
        ],
        figures: &[
            above(PRECISION_BELOW_HALF, 0.9595, "D's ancestor"),
            figure(1, "precision_called_same", "precision_called_same"),
            figure(1, "accuracy", "pair accuracy"),
            below(figure(1, "eer", "EER"), 0.0333, "published"),
            figure(1, "roc_auc", "ROC AUC"),
        ],
    },
    LAKE,
    System {
        name: "koch",
        about: "Koch et al. 2015 as far as it was published, by Lake's 400 one-shot trials",
        seeds: &[0],
        ..LAKE
    },
    PET_PAIRS,
    System {
        name: "pet-pairs-head",
        about: "the same by a learned comparison",
        ..PET_PAIRS
    },
    System {
        name: "pet-pairs-backbone",
        about: "the same by the frozen ResNet-50 alone",
        figures: &[ACCURACY, EER, ROC_AUC],
        ..PET_PAIRS
    },
    System {
        name: "cifar-fs",
        about: "few-shot CIFAR-FS by Conv-4: 1,000 episodes of 15 queries a class",
        data: "CIFAR-100 (cifar100)",
        seeds: &[0, 1, 2],
        judged: &[&["--few-shot", "cifar-fs", "--mirrored"]],
        figures: &of_episodes(0.638, 0.795),
    },
    System {
        name: "fc100",
        about: "few-shot FC100 by Conv-4: 1,000 episodes of 15 queries a class",
        data: "CIFAR-100 (cifar100)",
        seeds: &[0, 1, 2],
        judged: &[&["--few-shot", "fc100", "--mirrored"]],
        figures: &of_episodes(0.403, 0.541),
    },
    System {
        name: "cifar-fs-resnet12",
        about: "few-shot CIFAR-FS by ResNet-12, for a GPU: 1,000 episodes of 15 queries a class",
        data: "CIFAR-100 (cifar100)",
        seeds: &[0],
        judged: &[&["--few-shot", "cifar-fs", "--mirrored"]],
        figures: &of_episodes(0.739, 0.869),
    },
    System {
        name: "fc100-resnet12",
        about: "few-shot FC100 by ResNet-12, for a GPU: 1,000 episodes of 15 queries a class",
        data: "CIFAR-100 (cifar100)",
        seeds: &[0],
        judged: &[&["--few-shot", "fc100", "--mirrored"]],
        figures: &of_episodes(0.446, 0.609),
    },
    System {
        name: "system-c",
        about: "system C to the letter, its loss as it was meant; its published run is at chance",
        data: "CIFAR-100 (cifar100)",
        seeds: &[0],
        judged: &[&[]],
        figures: &[
            above(ACCURACY, 0.51, "published"),
            PRECISION,
            EER,
            above(ROC_AUC, 0.5, "chance"),
        ],
    },
];
