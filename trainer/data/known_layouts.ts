/**
 * The layouts of the data sets that CLIP-E (arXiv 2310.12062) is trained and measured on. Most can only be had on request,
 * and whoever hands them on lays them out anew: a layout whose data set nobody here has seen says so, and one JSON file
 * puts another in its place.
 */

import { findTaxonomy } from "@clip-e/shared";
import type { LayoutInput } from "./layout.ts";

/** What a taxonomy of the project's own calls its labels in prompts, which is what the published data sets call them. */
function wordsOf(id: string): string[] {
  return findTaxonomy(id)?.labels.map(({ word }) => word) ?? [];
}

/** WEBEmo's labels in the order of its indexes and of its `category.txt`, whose spelling they keep. */
const WEBEMO_NAMES = wordsOf("secondary");

const webemo: LayoutInput = {
  id: "webemo",
  title: "WEBEmo (2018)",
  // Its README (kept in github.com/ccivit/download_webEmo) says: category.txt; train25.txt with 213,952 lines and
  // test25.txt with 53,489, each "address index". Its pictures are downloaded by their addresses: to train/INDEX/FILE by
  // that repository's script, to images/train25/INDEX/FILE by github.com/slifer0918/WEBEmo's.
  source: "Panda et al., Contemplating Visual Emotions, ECCV 2018, arXiv 1808.02212",
  isVerified: false,
  labels: {
    kind: "tables",
    tables: [{ file: "train25.txt", split: "train" }, { file: "test25.txt", split: "test" }],
    separator: "space",
    hasHeader: false,
    columns: { picture: 1, label: 2 },
    pictures: [
      "{path}",
      "{split}/{index}/{file}",
      "{split}/{label}/{file}",
      "images/{split}25/{index}/{file}",
      "images/{file}",
      "images/{path}",
      "{split}/{file}",
      "{file}",
    ],
  },
  names: WEBEMO_NAMES,
  taxonomy: "secondary",
  hierarchy: "category.txt",
  // In the label orders of the CLIP-E notebooks (github.com/cristinabustos16/CLIP-E).
  coarser: [
    {
      taxonomy: "primary",
      names: wordsOf("primary"),
      tables: [{ file: "train6.txt" }, { file: "test6.txt" }],
    },
    {
      taxonomy: "polarity",
      names: ["negative", "positive"],
      tables: [{ file: "train2.txt" }, { file: "test2.txt" }],
    },
  ],
};

const EKMAN = ["anger", "disgust", "fear", "joy", "sadness", "surprise"];

const emotionroi: LayoutInput = {
  id: "emotionroi",
  title: "EmotionROI (2016)",
  // As several public readers have it: images/LABEL/FILE, and lists of LABEL/FILE in training_testing_split.
  source: "Peng et al., Where do Emotions Come from? Predicting the Emotion Stimuli Map, ICIP 2016",
  isVerified: false,
  labels: {
    kind: "tables",
    tables: [
      { file: ["training_testing_split/training.txt", "training.txt"], split: "train" },
      { file: ["training_testing_split/testing.txt", "testing.txt"], split: "test" },
    ],
    separator: "space",
    hasHeader: false,
    columns: { picture: 1 },
    pictures: ["images/{path}", "{path}"],
  },
  names: EKMAN,
  taxonomy: "emotion6",
};

const emotion6: LayoutInput = {
  id: "emotion6",
  title: "Emotion6 (2015)",
  // As several public readers have it: images/LABEL/NUMBER.jpg, where the label is the word that found the picture. What
  // people answered is in ground_truth.txt beside it, as shares; a layout with columns.valence reads its valence.
  source: "Peng et al., A Mixed Bag of Emotions, CVPR 2015",
  isVerified: false,
  labels: { kind: "folders", under: ["images", "Images", "."] },
  names: EKMAN,
  taxonomy: "emotion6",
};

const fi: LayoutInput = {
  id: "fi",
  title: "FI, Flickr and Instagram (2016)",
  // As several public readers have it: emotion_dataset/LABEL/FILE. The paper splits at random and publishes no split.
  source: "You et al., Building a Large Scale Dataset for Image Emotion Recognition, AAAI 2016, " +
    "arXiv 1605.02677",
  isVerified: false,
  labels: { kind: "folders", under: ["emotion_dataset", "images", "."] },
  names: wordsOf("mikels"),
  taxonomy: "mikels",
};

/** Twitter I: of five people, how many agreed. */
function twitter1(agree: number, word: string): LayoutInput {
  return {
    id: `twitter1-${agree}`,
    title: `Twitter I, ${agree} of five agreed (2015)`,
    // As several public readers have it: pictures in Agg_AMT_Candidates, lists "file index" with 1 for positive, under
    // names that differ from copy to copy.
    source: "You et al., Robust Image Sentiment Analysis Using Progressively Trained and Domain " +
      "Transferred Deep Networks, AAAI 2015, arXiv 1509.06041",
    isVerified: false,
    labels: {
      kind: "tables",
      tables: [{
        file: [
          `twitter_${word}_agrees.txt`,
          `ground_truth/twitter_${word}_agrees.txt`,
          `${word}_agrees.txt`,
          `${word}_agree.txt`,
        ],
      }],
      separator: "space",
      hasHeader: false,
      columns: { picture: 1, label: 2 },
      pictures: ["Agg_AMT_Candidates/{path}", "images/{path}", "{path}"],
    },
    names: ["negative", "positive"],
    taxonomy: "polarity",
  };
}

const twitter2: LayoutInput = {
  id: "twitter2",
  title: "Twitter II (2013)",
  // A guess: no public reader of it was found that agrees with another.
  source:
    "Borth et al., Large-scale Visual Sentiment Ontology and Detectors Using Adjective Noun " +
    "Pairs, ACM MM 2013",
  isVerified: false,
  labels: { kind: "folders", under: ["images", "."] },
  names: ["negative", "positive"],
  taxonomy: "polarity",
};

const oasis: LayoutInput = {
  id: "oasis",
  title: "OASIS (2017)",
  // Valence is rated from 1, very negative, over 4, neutral, to 7, very positive.
  source:
    "Kurdi, Lozano, Banaji, Introducing the Open Affective Standardized Image Set, Behavior " +
    "Research Methods 49, 2017, doi 10.3758/s13428-016-0715-3",
  isVerified: true,
  labels: {
    kind: "tables",
    tables: [{ file: "ratings.csv" }],
    hasHeader: true,
    // Pictures of one theme look alike: dog 1, dog 2.
    columns: { picture: "file", valence: "valence_mean", group: "theme" },
    pictures: ["images/{path}"],
  },
  polarity: { threshold: 4 },
  taxonomy: "polarity",
};

const layouts = [
  webemo,
  emotionroi,
  emotion6,
  fi,
  twitter1(5, "five"),
  twitter1(4, "four"),
  twitter1(3, "three"),
  twitter2,
  oasis,
];

/** By id. */
export const KNOWN_LAYOUTS: ReadonlyMap<string, LayoutInput> = new Map(
  layouts.map((layout) => [layout.id, layout]),
);
