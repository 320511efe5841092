import test from 'ava';
import { currentNames } from '../../dist/weights/names.js';

const RESNET = ['conv1.weight', 'bn1.weight', 'layer1.0.conv1.weight', 'layer4.1.conv1.weight', 'fc.bias'];
const NETWORK = ['backbone.body.conv1.weight', 'backbone.body.layer1.0.conv1.weight', 'rpn.head.conv.bias'];
const under = (prefix: string, names: readonly string[]) => names.map((name) => prefix + name);
const read = (...names: string[]) => [...currentNames(names, 'f').keys()];

test('any prefix is taken off, of a detector and of a ResNet alone', (t) => {
  const network = read(...NETWORK);
  t.deepEqual(network, [...NETWORK.slice(0, 2), 'rpn.head.conv.0.0.bias']);
  t.deepEqual(read(...RESNET), RESNET);
  for (const prefix of ['module.', '_orig_mod.', 'module._orig_mod.', 'model.', 'ema.', 'a.b.c.']) {
    t.deepEqual(read(...under(prefix, NETWORK)), network, prefix);
    t.deepEqual(read(...under(prefix, RESNET)), RESNET, prefix);
  }
  t.deepEqual(
    read(
      ...NETWORK.map((name) =>
        name.replace('body.', 'body._fsdp_wrapped_module._checkpoint_wrapped_module.'),
      ),
    ),
    network,
  );
});

test('what a network begins with is no prefix', (t) => {
  const body = under('backbone.body.', RESNET);
  t.deepEqual(read(...body), body);
  const heads = ['roi_heads.box_head.fc6.weight', 'roi_heads.box_head.fc6.bias'];
  t.deepEqual(read(...heads), heads);
  t.deepEqual(read('fc6.weight'), ['fc6.weight']);
  t.deepEqual(read('other.fc6.weight', 'other.fc6.bias'), ['fc6.weight', 'fc6.bias']);
  t.deepEqual(read(), []);
});

test('counters and what lies beside a network do not hide its prefix', (t) => {
  t.deepEqual(read('n_averaged', ...under('module.', RESNET)), ['n_averaged', ...RESNET]);
  t.deepEqual(read(...under('model.', RESNET), 'criterion.weight'), [...RESNET, 'criterion.weight']);
});

test('several networks are refused by their prefixes, as are names that become one', (t) => {
  const code = 'ERR_NLRCNN_WEIGHTS';
  t.throws(() => read(...under('encoder_q.', RESNET), ...under('encoder_k.', RESNET)), {
    code,
    message: /one network but received 2, with the prefixes encoder_q\., encoder_k\./,
  });
  t.throws(() => read('rpn.head.conv.bias', 'rpn.head.conv.0.0.bias'), {
    code,
    message: /one tensor of the name/,
  });
});

test('the cost is bounded by what there is to read', (t) => {
  const names = Array.from({ length: 100_000 }, (_, i) => `n${i}.conv1.weight`);
  t.is(read(...names.slice(0, 10)).length, 10);
  t.is(currentNames(names, 'f').size, names.length);
  const long = 'a.'.repeat(1e6);
  t.is(currentNames([`${long}weight`, `${long}bias`], 'f').size, 2);
  t.is(currentNames([`${long}layer1.0.conv1.weight`], 'f').size, 1);
  t.is(currentNames([`${'_orig_mod.'.repeat(1e5)}weight`], 'f').size, 1);
});
