import test from 'ava';

// Run by the GPU check under compute-sanitizer, which must report the kernel that this launches.
const addon = process.env.NLRCNN_FAULT_ADDON;

(addon ? test : test.skip)('a kernel with a fault made on purpose runs', (t) => {
  t.notThrows(() => require(addon!));
});
