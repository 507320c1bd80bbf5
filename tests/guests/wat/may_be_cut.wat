;; `embed` answers one text with the vector [3.0, 4.0, 12.0], and `describe` says that vectors of this
;; model may be cut to their first 1 or 2 values. What else it says of lengths is no number.
;;
;; Promise: a vector is cut where the model says so, and only there. Expected: an answer of
;; [3.0, 4.0, 12.0].
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Zeros: `ok`.
    (func (export "init") (result i32) (i32.const 16))
    ;; The fields of the answer from 64 on, its values at 128, its flags at 144.
    (data (i32.const 64) "\00\00\00\00" "\03\00\00\00" "\80\00\00\00\03\00\00\00"
                         "\90\00\00\00\01\00\00\00")
    (data (i32.const 128) "\00\00\40\40" "\00\00\80\40" "\00\00\40\41")
    ;; The architecture is empty; one property from 272 on.
    (data (i32.const 256) "\00\00\00\00\00\00\00\00" "\10\01\00\00\01\00\00\00")
    (data (i32.const 272) "\00\02\00\00\1f\00\00\00" "\40\02\00\00\0c\00\00\00")
    (data (i32.const 512) "embedding.matryoshka-dimensions")
    (data (i32.const 576) "1, 2,-1,x,99")
    (func (export "describe") (result i32) (i32.const 256))
    (func (export "embed") (param i32 i32) (result i32) (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else.
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
