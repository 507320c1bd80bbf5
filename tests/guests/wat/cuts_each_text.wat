;; `embed` answers each text with the vector [0.0, 0.0, 0.0], and `tokenize` with no tokens; both say that
;; the text was cut. `describe` says that vectors have 3 values, of which the first 1 or 2 are vectors too,
;; and that a text has 4 tokens at most. A test may add the contract of tokenization.
;;
;; Promise: a request that takes no cut text, or vectors of another length, is refused with as little work
;; as can be. Expected: an answer, or `input.*`.
(component
  (core module $guest
    (memory (export "memory") 2)
    ;; Zeros: `ok`.
    (func (export "init") (result i32) (i32.const 16))
    ;; The architecture is empty; three properties from 272 on.
    (data (i32.const 256) "\00\00\00\00\00\00\00\00" "\10\01\00\00\03\00\00\00")
    (data (i32.const 272) "\00\02\00\00\14\00\00\00" "\80\02\00\00\01\00\00\00"
                          "\20\02\00\00\1f\00\00\00" "\88\02\00\00\04\00\00\00"
                          "\50\02\00\00\0f\00\00\00" "\90\02\00\00\01\00\00\00")
    (data (i32.const 512) "embedding.dimensions")
    (data (i32.const 544) "embedding.matryoshka-dimensions")
    (data (i32.const 592) "text.max-tokens")
    (data (i32.const 640) "3")
    (data (i32.const 648) "1, 2")
    (data (i32.const 656) "4")
    (func (export "describe") (result i32) (i32.const 256))
    ;; The fields of the answer from 64 on. Values are zeros from 65,536 on, and flags ones from 98,304 on.
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (memory.fill (i32.const 98304) (i32.const 1) (local.get $count))
      (i32.store (i32.const 68) (i32.const 3))
      (i32.store (i32.const 72) (i32.const 65536))
      (i32.store (i32.const 76) (i32.mul (local.get $count) (i32.const 3)))
      (i32.store (i32.const 80) (i32.const 98304))
      (i32.store (i32.const 84) (local.get $count))
      (i32.const 64))
    ;; Records of 12 bytes: no ids, and the flag.
    (func (export "tokenize") (param $texts i32) (param $count i32) (result i32)
      (local $left i32)
      (local.set $left (local.get $count))
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $left)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (i32.store offset=65544 (i32.mul (local.get $left) (i32.const 12)) (i32.const 1))
          (br $next)))
      (i32.store (i32.const 68) (i32.const 65536))
      (i32.store (i32.const 72) (local.get $count))
      (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else, and ends below the answer.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
