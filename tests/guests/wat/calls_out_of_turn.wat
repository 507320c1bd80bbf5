;; Calls the host while the host is handing something over: for one text from the allocator, for two
;; once its answer has been read.
;;
;; Promise: no call of the host begins in the middle of another. Expected: `guest.trap`.
(component
  (type $log-types (instance
    (type $level (enum "error" "warn" "info" "debug"))
    (export "level" (type $exported (eq $level)))
    (export "write" (func (param "level" $exported) (param "message" string)))))
  (import "ampoule:model/log@0.1.0" (instance $log (type $log-types)))
  ;; The memory comes first, since lowering the import needs it.
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory"))))
  (core module $guest
    (import "log" "write" (func $write (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (export "memory" (memory 0))
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (i32.const 64))
    (func (export "cleanup") (param i32)
      (call $write (i32.const 2) (i32.const 0) (i32.const 0)))
    ;; Never frees; starts above everything else. The list of one text is the block of eight bytes.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (if (i32.eq (local.get $size) (i32.const 8))
        (then (call $write (i32.const 2) (i32.const 0) (i32.const 0))))
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "log" (instance (export "write" (func $write))))
    (with "libc" (instance $libc))))

  ;; contract: text-embedding
)
