;; Says of itself an architecture of three million control characters, and fifty thousand facts.
;;
;; Promise: of what a model says of itself no more is kept than a person reads. Expected: a model that is loaded,
;; with a short description.
(component
  (core module $guest
    (memory (export "memory") 80)
    ;; 32: what `describe` answers.
    (data (i32.const 32) "\00\00\01\00" "\c0\c6\2d\00" "\00\00\40\00" "\50\c3\00\00")
    (data (i32.const 64) "a-fact-that-is-known")
    (data (i32.const 96) "its-value-is-so-long")
    (func (export "init") (result i32) (local $at i32)
      (memory.fill (i32.const 65536) (i32.const 1) (i32.const 3000000))
      (local.set $at (i32.const 4194304))
      (loop $again
        (i32.store (local.get $at) (i32.const 64))
        (i32.store offset=4 (local.get $at) (i32.const 20))
        (i32.store offset=8 (local.get $at) (i32.const 96))
        (i32.store offset=12 (local.get $at) (i32.const 20))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 4994304))))
      (i32.const 16))
    (func (export "describe") (result i32) (i32.const 32))
    ;; Nobody asks for it.
    (func (export "embed") (param i32 i32) (result i32) unreachable)
    (func (export "cleanup") (param i32))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
