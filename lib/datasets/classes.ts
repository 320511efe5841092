import { NlrcnnError } from '../errors.js';
import type { ModelConfig } from '../models/model-config.js';
import type { Dataset } from './dataset.js';

/** Names of classes, without the background. */
export interface ClassList {
  /** Whose they are, for messages. */
  owner: string;
  names: readonly string[];
}

export interface ClassMatch {
  /** [from]: the place of the same name in `to`; -1: it has none. */
  places: number[];
  /** Names of `from` that `to` lacks. */
  missing: string[];
  /** Names of `to` that `from` lacks. */
  unused: string[];
}

/** torchvision's name of the labels that COCO left without a class; there are ten of them among 91. */
const PLACEHOLDERS: readonly string[] = ['N/A', ''];

export const isPlaceholder = (name: string): boolean => PLACEHOLDERS.includes(name);

/**
 * Where two lists of classes meet, equal names are the same class; order and ids mean nothing.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where a name is in a list twice.
 */
export function matchClasses(from: ClassList, to: ClassList): ClassMatch {
  const own = placesOf(from);
  const others = placesOf(to);
  return {
    places: from.names.map((name) => others.get(name) ?? -1),
    missing: [...own.keys()].filter((name) => !others.has(name)),
    unused: [...others.keys()].filter((name) => !own.has(name)),
  };
}

function placesOf({ owner, names }: ClassList): Map<string, number> {
  const places = new Map<string, number>();
  for (const [i, name] of names.entries()) {
    if (isPlaceholder(name)) continue;
    if (places.has(name)) {
      throw new NlrcnnError(
        'ERR_NLRCNN_DATASET',
        `Expected classes of distinct names in ${owner} but ${name} is there twice`,
      );
    }
    places.set(name, i);
  }
  return places;
}

/** What is known of the classes of annotations; see Dataset. */
export type DataClasses = Pick<Dataset, 'classNames' | 'categoryIds'>;

export interface LabelMatch {
  /** [labels of the data]: the model's label; 0 for the background, -1 where the model has no such class. */
  labels: number[];
  /** Classes of the data that the model lacks. */
  missing: string[];
  /** Classes of the model that the data lack. */
  unused: string[];
  /** How labels of a model without class names were understood. */
  note?: string;
}

/**
 * The model's label of each class of annotations: by name. A model without `class_names` has either as many classes as the
 * data, then in the data's order, or torchvision's labels, which are the category ids themselves.
 * @throws NlrcnnError ERR_NLRCNN_DATASET where a name is there twice, and where a model without names is neither.
 */
export function matchLabels(
  data: DataClasses,
  { class_names: modelNames, num_classes: count }: Pick<ModelConfig, 'class_names' | 'num_classes'>,
  owner = 'the data set',
): LabelMatch {
  const names = data.classNames.slice(1);
  const from = { owner, names };
  if (modelNames.length > 0) {
    const { places, missing, unused } = matchClasses(from, {
      owner: 'the model',
      names: modelNames.slice(1),
    });
    return { labels: [0, ...places.map((place) => (place < 0 ? -1 : place + 1))], missing, unused };
  }
  matchClasses(from, { owner, names: [] }); // distinct
  const ids = data.categoryIds;
  if (count === data.classNames.length) {
    return {
      labels: [...data.classNames.keys()],
      missing: [],
      unused: [],
      note: `the model has no class_names: its labels are taken to be ${nameSome(names)}, in this order`,
    };
  }
  if (ids?.slice(1).every((id) => id > 0 && id < count)) {
    return {
      labels: [...ids],
      missing: [],
      unused: [],
      note: `the model has no class_names: its labels are taken to be the category ids of ${owner}`,
    };
  }
  throw new NlrcnnError(
    'ERR_NLRCNN_DATASET',
    `Expected class_names in the model's config as it has ${count - 1} classes and ${owner} ${names.length} (${nameSome(names)})`,
  );
}

/** Names for a message: the first eight and how many there are. */
export function nameSome(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')}, … (${names.length})` : names.join(', ');
}

/** The name of a model's class where it has one beside the background. */
export const onlyClass = (
  model: { readonly class_names: readonly string[] } | undefined,
): string | undefined => (model?.class_names.length === 2 ? model.class_names[1] : undefined);
